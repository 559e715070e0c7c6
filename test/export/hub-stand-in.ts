/**
 * A server that stands in for the Hugging Face hub where `colloquy push` sends to it. It is as strict as the hub, or stricter: it refuses what it
 * does not know, checks the hash and the size of each large file, and takes a commit on its newest one alone.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type Answer,
  type Asked,
  commit,
  create,
  type HubStandIn,
  info,
  lfsBatch,
  newest,
  preupload,
  refused,
  resolve,
  storage,
  tree,
} from './hub-answers.ts';

export async function startHubStandIn(): Promise<HubStandIn> {
  const server = createServer((request, response) => {
    answer(hub, request, response).catch((error: unknown) => {
      hub.wrong.push(`${request.method} ${request.url}: ${String(error)}`);
      response.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const hub: HubStandIn = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accounts: new Map(),
    repositories: new Map(),
    large: new Map(),
    asked: [],
    wrong: [],
    fault: () => undefined,
    partBytes: 1 << 30,
    put: (repository, files) => put(hub, repository, files),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return hub;
}

async function answer(hub: HubStandIn, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams: query } = new URL(request.url ?? '', hub.url);
  const [method = '', path] = [request.method, decodeURIComponent(pathname)];
  hub.asked.push(`${method} ${path}`);
  const fault = hub.fault(`${method} ${path}`);
  if (fault === 'cut') {
    // In the middle of what is sent, where something is.
    if (method === 'PUT' || method === 'POST') await new Promise((resolve) => request.once('data', resolve));
    request.socket.destroy();
    return;
  }
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const given: Answer =
    typeof fault === 'object'
      ? { ...fault, json: { error: 'the hub has a bad moment' } }
      : route(hub, { method, path, query, body: Buffer.concat(pieces), headers: request.headers });
  if (fault === 'lost') {
    request.socket.destroy();
    return;
  }
  const type = given.bytes === undefined ? 'application/json; charset=utf-8' : 'application/octet-stream';
  response.writeHead(given.status, { 'Content-Type': type, ...given.headers });
  response.end(given.bytes ?? JSON.stringify(given.json ?? {}));
}

const api = /^\/api\/(models|datasets)\/([^/]+\/[^/]+)(?:\/(revision|tree|preupload|commit)\/([^/]+))?$/;
const files = /^\/(datasets\/)?([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/;
const batch = /^\/(datasets\/)?([^/]+\/[^/]+)\.git\/info\/lfs\/objects\/batch$/;

function route(hub: HubStandIn, asked: Asked): Answer {
  const { method, path, headers } = asked;
  if (path.startsWith('/storage/')) return storage(hub, asked);
  const account = hub.accounts.get((headers.authorization ?? '').replace('Bearer ', ''));
  if (headers.authorization !== undefined && account === undefined)
    return refused(401, 'Invalid credentials in Authorization header');
  if (path === '/api/whoami-v2' && method === 'GET') {
    if (account === undefined) return refused(401, 'Invalid username or password.');
    const { name, role } = account;
    return {
      status: 200,
      json: {
        type: 'user',
        name,
        orgs: [],
        auth: { type: 'access_token', accessToken: { displayName: 'x', role } },
      },
    };
  }
  if (path === '/api/repos/create' && method === 'POST') return create(hub, account, asked);
  const [, type = '', name = '', what, revision = ''] = api.exec(path) ?? [];
  const [, ofFiles, nameOfFiles = '', revisionOfFiles = '', file = ''] = files.exec(path) ?? [];
  const [, ofBatch, nameOfBatch = ''] = batch.exec(path) ?? [];
  const key =
    type === ''
      ? `${ofFiles || ofBatch ? 'datasets' : 'models'}/${nameOfFiles || nameOfBatch}`
      : `${type}/${name}`;
  const repository = hub.repositories.get(key);
  const owner = key.split('/')[1] ?? '';
  if (repository === undefined || (repository.isPrivate && !account?.owners.includes(owner)))
    return refused(account === undefined ? 401 : 404, 'Repository not found', 'RepoNotFound');
  if (repository.movedTo !== undefined)
    return {
      status: 307,
      headers: { Location: `${hub.url}${path.replace(name, repository.movedTo)}?${asked.query}` },
    };
  const of = { key, repository };
  if (method === 'GET') {
    if (nameOfFiles !== '') return resolve(of, revisionOfFiles, file, headers.range);
    if (what === 'tree') return tree(hub, of, revision, asked);
    if (what === 'revision' || what === undefined) return info(of);
  }
  if (method === 'POST') {
    if (account?.owners.includes(owner) !== true || account.role === 'read')
      return refused(403, `You don't have the rights to write to ${key}.`);
    if (what === 'preupload' && revision === 'main') return preupload(asked);
    if (nameOfBatch !== '') return lfsBatch(hub, asked);
    if (what === 'commit' && revision === 'main') return commit(hub, of, asked);
  }
  hub.wrong.push(`${method} ${path}: no such path`);
  return refused(404, 'Sorry, we can not find the page you are looking for.');
}

function put(
  { repositories }: HubStandIn,
  key: string,
  changed: Readonly<Record<string, string | null>>,
): string {
  const repository = repositories.get(key) ?? { isPrivate: false, commits: [] };
  repositories.set(key, repository);
  const files = new Map(repository.commits.at(-1)?.files);
  for (const [path, text] of Object.entries(changed)) {
    if (text === null) files.delete(path);
    else files.set(path, { content: Buffer.from(text), large: false });
  }
  return newest(repository, 'by somebody else', files);
}
