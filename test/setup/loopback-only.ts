/** A test that would reach beyond this machine fails, saying where it wanted to go. */
import { Socket } from 'node:net';

// oxlint-disable-next-line typescript/unbound-method -- always applied to the socket it was called on, below
const connect = Socket.prototype.connect;

function connectToThisMachine(this: Socket, ...args: unknown[]): Socket {
  const host = hostOf(args);
  if (host !== undefined && !loopback.test(host)) {
    this.destroy(new Error(`A test tried to reach ${host}. Tests reach only this machine.`));
    return this;
  }
  return Reflect.apply(connect, this, args);
}
// A process that runs several test files comes here for each of them.
if (connect.name !== connectToThisMachine.name) Socket.prototype.connect = connectToThisMachine;

const loopback = /^(localhost|127(\.\d+){3}|::1|\[::1\]|::ffff:127(\.\d+){3})$/;

/** `connect` takes (options), (path), or (port, host); net's own callers pass one normalised array. */
function hostOf(args: readonly unknown[]): string | undefined {
  const [first, second] = Array.isArray(args[0]) ? (args[0] as unknown[]) : args;
  if (typeof first === 'object' && first !== null && 'host' in first) {
    return typeof first.host === 'string' ? first.host : undefined;
  }
  return typeof first !== 'object' && typeof second === 'string' ? second : undefined;
}
