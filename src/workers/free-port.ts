/** Ports of this machine's loopback interface. */
import { createServer, type AddressInfo } from 'node:net';

/**
 * `preferred` when nothing listens there, else a port that the system has free. What it returns may be taken by another
 * process before the caller listens on it: callers must be ready to ask again.
 */
export async function freePort(preferred = 0): Promise<number> {
  return (await listenOnce(preferred)) ?? (await listenOnce(0)) ?? preferred;
}

/** Listens and closes again at once: the port that it got, or undefined when `port` is not to be had. */
async function listenOnce(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => {
      // A TCP server's address is always an AddressInfo (it is a string for pipes only).
      const address = server.address() as AddressInfo;
      server.close(() => resolve(address.port));
    });
  });
}
