import { z } from 'zod';
import type { NetworkCalls } from '../driver/calls.ts';
import { CodedError } from '../errors.ts';
import { type Method, method, plain } from './method.ts';
import * as wire from './wire/network.ts';

const done = async (work: Promise<void>): Promise<object> => {
  await work;
  return {};
};

const swarm = async (): Promise<never> => {
  throw new CodedError('NR_SWARM_UNSUPPORTED', 'networks of swarm scope are not supported');
};

/** The methods of Docker's NetworkDriver. */
export function networkMethods(calls: NetworkCalls): Method[] {
  return [
    // Scope local: a driver of global scope could not make a network without swarm.
    plain('NetworkDriver.GetCapabilities', () => ({
      Scope: 'local',
      ConnectivityScope: 'local',
      GwAllocChecker: true,
    })),
    // The gateways are link-local, so no address of the pool is spent on one unless the user gives --gateway.
    method('NetworkDriver.GwAllocCheck', wire.gwAllocCheck, async () => ({
      SkipIPv4: true,
      SkipIPv6: true,
    })),
    method('NetworkDriver.AllocateNetwork', z.object({}), swarm),
    method('NetworkDriver.FreeNetwork', z.object({}), swarm),
    method('NetworkDriver.CreateNetwork', wire.createNetwork, (call) => done(calls.createNetwork(call))),
    method('NetworkDriver.DeleteNetwork', wire.deleteNetwork, ({ network }) =>
      done(calls.deleteNetwork(network)),
    ),
    method('NetworkDriver.CreateEndpoint', wire.createEndpoint, async ({ call, macGiven }) => {
      const { mac } = await calls.createEndpoint(call);
      // Docker rolls the endpoint back when a field comes back that it had set.
      return mac && !macGiven ? { Interface: { MacAddress: mac } } : {};
    }),
    method('NetworkDriver.DeleteEndpoint', wire.endpoint, ({ network, endpoint }) =>
      done(calls.deleteEndpoint(network, endpoint)),
    ),
    method('NetworkDriver.EndpointOperInfo', wire.endpoint, async ({ network, endpoint }) => ({
      Value: await calls.endpointInfo(network, endpoint),
    })),
    method('NetworkDriver.Join', wire.join, async (call) => wire.joinResponse(await calls.join(call))),
    method('NetworkDriver.Leave', wire.endpoint, ({ network, endpoint }) =>
      done(calls.leave(network, endpoint)),
    ),
    method('NetworkDriver.ProgramExternalConnectivity', wire.program, ({ network, endpoint, ports }) =>
      done(calls.publish(network, endpoint, ports)),
    ),
    method('NetworkDriver.RevokeExternalConnectivity', wire.endpoint, ({ network, endpoint }) =>
      done(calls.unpublish(network, endpoint)),
    ),
    // News of other swarm nodes: our hosts know each other by gossip.
    plain('NetworkDriver.DiscoverNew', () => ({})),
    plain('NetworkDriver.DiscoverDelete', () => ({})),
  ];
}
