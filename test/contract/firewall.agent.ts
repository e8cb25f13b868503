/**
 * A program for the inside of a network namespace: opens sockets as it is told by messages, and tells what came
 * of them. Servers answer with the address that they see the other side at.
 */
import { createSocket } from 'node:dgram';
import { connect, createServer, type Socket } from 'node:net';

export type Task =
  | { readonly do: 'serve'; readonly protocol: 'tcp' | 'udp'; readonly host: string; readonly port: number }
  | {
      readonly do: 'ask';
      readonly protocol: 'tcp' | 'udp';
      readonly host: string;
      readonly port: number;
      /** Source address. */
      readonly from?: string;
      /** Name under which the connection is kept for `again`. */
      readonly keep?: string;
      /** Milliseconds until the answer is `silence`. */
      readonly patience: number;
    }
  | { readonly do: 'again'; readonly keep: string; readonly patience: number };

/** What a socket of both families calls an IPv4 address, as IPv4. */
const plain = (address: string) => address.replace('::ffff:', '');

const kept = new Map<string, Socket>();

function serve(task: Task & { do: 'serve' }): Promise<string> {
  return new Promise((resolve, reject) => {
    if (task.protocol === 'tcp') {
      const server = createServer((socket) => {
        socket.on('error', () => socket.destroy());
        socket.on('data', () => socket.write(plain(socket.remoteAddress!)));
      });
      server.on('error', reject).listen(task.port, task.host, () => resolve('ready'));
      return;
    }
    const socket = createSocket(task.host.includes(':') ? 'udp6' : 'udp4');
    socket.on('message', (_, peer) => socket.send(plain(peer.address), peer.port, peer.address));
    socket.on('error', reject).bind(task.port, task.host, () => resolve('ready'));
  });
}

function ask(task: Task & { do: 'ask' }): Promise<string> {
  if (task.protocol === 'udp') return askUdp(task);
  return new Promise((resolve) => {
    const socket = connect({
      host: task.host,
      port: task.port,
      ...(task.from && { localAddress: task.from }),
    });
    const end = (answer: string) => {
      clearTimeout(timer);
      if (task.keep && answer !== 'silence') kept.set(task.keep, socket);
      else socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(end, task.patience, 'silence');
    socket.once('connect', () => socket.write('who'));
    socket.once('data', (data) => end(String(data)));
    socket.on('error', (error: NodeJS.ErrnoException) => end(String(error.code)));
  });
}

function askUdp(task: Task & { do: 'ask' }): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket(task.host.includes(':') ? 'udp6' : 'udp4');
    const end = (answer: string) => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(end, task.patience, 'silence');
    socket.on('message', (data) => end(String(data)));
    socket.on('error', (error: NodeJS.ErrnoException) => end(String(error.code)));
    socket.bind(0, task.from, () =>
      socket.connect(task.port, task.host, (error?: Error & { code?: string }) => {
        if (error) end(String(error.code));
        else socket.send('who');
      }),
    );
  });
}

function again(task: Task & { do: 'again' }): Promise<string> {
  const socket = kept.get(task.keep)!;
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, task.patience, 'silence');
    const end = (answer: string) => {
      clearTimeout(timer);
      resolve(answer);
    };
    socket.once('data', (data) => end(String(data)));
    socket.once('error', (error: NodeJS.ErrnoException) => end(String(error.code)));
    socket.write('who');
  });
}

function carryOut(task: Task): Promise<string> {
  if (task.do === 'serve') return serve(task);
  return task.do === 'ask' ? ask(task) : again(task);
}

process.on('disconnect', () => process.exit());
process.on('message', ({ id, task }: { id: number; task: Task }) => {
  carryOut(task).then(
    (answer) => process.send!({ id, answer }),
    (error: Error) => process.send!({ id, answer: error.message }),
  );
});
