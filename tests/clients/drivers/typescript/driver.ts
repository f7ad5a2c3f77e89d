// Does with the TypeScript client what each line on standard input asks for, and says on a line what came of it.

import { createInterface } from 'node:readline';
import { musicStudio } from './client/src/index.js';
import type { Collection, CollectionPatch, CollectionCreate, Violation } from './client/src/index.js';

type Step = {
  url: string;
  api_key: string;
  organization: string;
  timeout: number;
  retries: number;
  do: string;
  collection: string;
  track: string;
  tracks: string[];
  limit: number;
  body: CollectionCreate & CollectionPatch;
  idempotency_key?: string;
  if_match?: string;
};
type Answer = { error: unknown; response?: Response };

const seen = ({ id, name, description, cover_track_id, track_count }: Collection) => ({
  id,
  name,
  description,
  cover_track_id,
  track_count,
});

async function act(step: Step): Promise<[unknown, Answer?]> {
  const api = musicStudio(step.url, { apiKey: step.api_key, timeout: step.timeout * 1000, retries: step.retries });
  const home = { organization_id: step.organization };
  const path = { ...home, collection_id: step.collection };
  switch (step.do) {
    case 'create': {
      const headers = step.idempotency_key === undefined ? {} : { 'Idempotency-Key': step.idempotency_key };
      const made = await api.createCollection({ path: home, body: step.body, headers });
      return [made.data && seen(made.data), made];
    }
    case 'get': {
      const made = await api.getCollection({ path });
      return [made.data && seen(made.data), made];
    }
    case 'update': {
      const headers = step.if_match === undefined ? {} : { 'If-Match': step.if_match };
      const made = await api.updateCollection({ path, body: step.body, headers });
      return [made.data && seen(made.data), made];
    }
    case 'delete': {
      const done = await api.deleteCollection({ path });
      return [done.data?.id, done];
    }
    case 'list': {
      const page = await api.listCollections({ path: home, query: { limit: step.limit } });
      return [page.data?.items.map(seen), page];
    }
    case 'every': {
      const all = [];
      for await (const one of api.listCollections.items({ path: home, query: { limit: step.limit } })) all.push(seen(one));
      return [all];
    }
    case 'jobs': {
      const all = [];
      for await (const one of api.listGenerations.items({ path: home, query: { limit: step.limit } })) all.push(one.id);
      return [all];
    }
    case 'tracks': {
      const page = await api.listCollectionTracks({ path });
      return [page.data?.items.map((item) => item.track_id), page];
    }
    case 'add': {
      const done = await api.addCollectionTrack({ path, body: { track_id: step.track } });
      return [done.data?.id, done];
    }
    case 'remove': {
      const done = await api.removeCollectionTrack({ path: { ...path, track_id: step.track } });
      return [done.data?.id, done];
    }
    case 'reorder': {
      const done = await api.reorderCollection({ path, body: { ordered_track_ids: step.tracks } });
      return [done.data?.id, done];
    }
    default:
      throw new Error(`nobody knows how to ${step.do}`);
  }
}

function told({ error, response }: Answer): unknown {
  const body = typeof error === 'object' && error !== null && 'error' in error ? error.error : undefined;
  const { code = null, type = null, details } = (body ?? {}) as {
    code?: string;
    type?: string;
    details?: { errors?: Violation[] };
  };
  const violations = (details?.errors ?? []).map((one) => ({ pointer: one.pointer, code: one.code }));
  return { status: response?.status, code, type, violations };
}

async function outcome(step: Step): Promise<unknown> {
  try {
    const [value, answer] = await act(step);
    return answer?.error === undefined ? { value } : { error: told(answer) };
  } catch (failure) {
    return { failure: String(failure) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await outcome(JSON.parse(line) as Step)));
}
