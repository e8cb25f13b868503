import {
  Client as Channel,
  type ClientReadableStream,
  type ClientWritableStream,
  credentials,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import type { MethodDefinition, ServiceDefinition } from '@grpc/proto-loader';
import { CodedError } from '../../errors.ts';
import { type Message, verify } from './encode.ts';
import type { Schema } from './proto.ts';

/** Milliseconds that a call may take: a frozen engine answers never. */
const DEADLINE = 5_000;
/** The same for what moves whole tables. */
const DEADLINE_BULK = 60_000;

// biome-ignore lint/suspicious/noExplicitAny: what the engine answers is shaped by the .proto files only
export type Answer = any;

/** Calls of one service over one channel. Whatever is sent is verified against the schema first. */
export class Client {
  readonly #schema: Schema;
  readonly #service: ServiceDefinition;
  readonly #channel: Channel;

  /** `target` as gRPC writes it: `unix:///run/x.sock` or `192.0.2.1:50051`. */
  constructor(target: string, schema: Schema, service: string) {
    this.#schema = schema;
    this.#service = schema.definition[service] as ServiceDefinition;
    this.#channel = new Channel(target, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 1_000,
    });
  }

  /** @throws NR_SPEAKER_UNAVAILABLE, NR_SPEAKER_REFUSED, NR_SPEAKER_FIELD */
  call(method: string, request: Message, deadline = DEADLINE): Promise<Answer> {
    const { definition } = this.#method(method, request);
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#channel.makeUnaryRequest(
      definition.path,
      definition.requestSerialize,
      definition.responseDeserialize,
      request,
      { deadline: Date.now() + deadline },
      (error: ServiceError | null, answer) => (error ? reject(coded(method, error)) : resolve(answer)),
    );
    return promise;
  }

  /** Collects what the engine streams back. @throws like call */
  list(method: string, request: Message, deadline = DEADLINE_BULK): Promise<Answer[]> {
    const answers: Answer[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<Answer[]>();
    const stream = this.#read(method, request, { deadline: Date.now() + deadline });
    stream.on('data', (answer) => answers.push(answer));
    stream.on('error', (error: ServiceError) => reject(coded(method, error)));
    stream.on('end', () => resolve(answers));
    return promise;
  }

  /** Tells what the engine streams until it ends, which `ended` gets the reason of. Returns the way to stop. */
  watch(
    method: string,
    request: Message,
    on: (answer: Answer) => void,
    ended: (error: CodedError) => void,
  ): () => void {
    const stream = this.#read(method, request, {});
    let over = false;
    const end = (error: CodedError) => {
      if (!over) ended(error);
      over = true;
    };
    stream.on('data', (answer) => {
      if (!over) on(answer);
    });
    stream.on('error', (error: ServiceError) => end(coded(method, error)));
    stream.on('end', () => end(new CodedError('NR_SPEAKER_UNAVAILABLE', `${method} ended`)));
    return () => {
      over = true;
      stream.cancel();
    };
  }

  /** Sends the requests in one stream, no faster than the engine takes them. @throws like call */
  async send(method: string, requests: Iterable<Message>): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const definition = this.#definition(method);
    const stream: ClientWritableStream<object> = this.#channel.makeClientStreamRequest(
      definition.path,
      definition.requestSerialize,
      definition.responseDeserialize,
      { deadline: Date.now() + DEADLINE_BULK },
      (error: ServiceError | null, answer) => (error ? reject(coded(method, error)) : resolve(answer)),
    );
    // It reports through the callback; an unheard event would end the process.
    stream.on('error', () => {});
    promise.catch(() => {});
    try {
      for (const request of requests) {
        this.#method(method, request);
        if (!stream.write(request)) {
          await Promise.race([new Promise<void>((drained) => stream.once('drain', drained)), promise]);
        }
      }
    } catch (error) {
      stream.cancel();
      throw error;
    }
    stream.end();
    return promise;
  }

  close(): void {
    this.#channel.close();
  }

  #read(method: string, request: Message, options: { deadline?: number }): ClientReadableStream<Answer> {
    const { definition } = this.#method(method, request);
    return this.#channel.makeServerStreamRequest(
      definition.path,
      definition.requestSerialize,
      definition.responseDeserialize,
      request,
      options,
    );
  }

  #definition(method: string): MethodDefinition<object, object> {
    const definition = this.#service[method];
    if (!definition) throw new CodedError('NR_SPEAKER_FIELD', `${method} is not described`);
    return definition;
  }

  #method(method: string, request: Message): { definition: MethodDefinition<object, object> } {
    const definition = this.#definition(method);
    const { name } = definition.requestType.type as { name: string };
    const packageName = definition.path.slice(1, definition.path.indexOf('.'));
    verify(this.#schema, `${packageName}.${name}`, request);
    return { definition };
  }
}

/** gRPC's status as an error of ours: the engine is not there, or it said no. */
function coded(method: string, error: ServiceError): CodedError {
  const gone = [status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.CANCELLED].includes(error.code);
  const code = gone ? 'NR_SPEAKER_UNAVAILABLE' : 'NR_SPEAKER_REFUSED';
  return new CodedError(code, `GoBGP ${method}: ${error.details}`, { cause: error });
}

/** Whether the engine said that it has no such service or call: it speaks another version of the API. */
export function isUnimplemented(error: unknown): boolean {
  const cause = error instanceof CodedError ? (error.cause as Partial<ServiceError> | undefined) : undefined;
  return cause?.code === status.UNIMPLEMENTED;
}
