import { createClient, defaultRetryOn, OPERATIONS } from './client.js';
import type { OperationId, OperationPath, OperationTag, Ops, RetryContext } from './client.js';

export type * from './client.js';
export { ErrorCode, ErrorType, TimeoutError } from './client.js';

/** In seconds; a longer Retry-After is left to the caller. */
const LONGEST_WAIT = 60;
/** In the Link of an error whose code is SPEND_LIMIT_EXCEEDED, which another attempt does not help. */
const SPENT = '#spend_limit_exceeded';
const TRANSIENT = new Set([429, 502, 503, 504]);

export type Studio = {
  apiKey?: string;
  accessToken?: string;
  /** In milliseconds, for each attempt; 30,000 unless told otherwise. */
  timeout?: number;
  /** How many attempts may follow the first; three unless told otherwise. */
  retries?: number;
  fetch?: typeof fetch;
};

/** The client of the service at a URL such as https://music.example.com/v1. */
export function musicStudio(url: string, { apiKey, accessToken, timeout = 30_000, retries = 3, ...rest }: Studio = {}) {
  return createClient<Ops, OperationId, OperationPath, OperationTag>(OPERATIONS, {
    serverUrl: url,
    errorMode: 'result',
    clientHeader: false,
    headers: typeof document === 'undefined' ? { 'User-Agent': 'music-studio-client-typescript/{{{version}}}' } : {},
    auth: {
      ...(apiKey === undefined ? {} : { apiKey: { ApiKeyAuth: apiKey } }),
      ...(accessToken === undefined ? {} : { bearer: accessToken }),
    },
    timeout,
    idempotencyKey: true,
    retry: { retries, retryDelay: 1000, retryOn: again },
    ...rest,
  });
}

/** 429, 502, 503, 504, a 409 that says when, and a connection that failed are tried again. */
function again(context: RetryContext): boolean {
  if (context.response === undefined) return defaultRetryOn(context);
  const wait = context.response.headers.get('Retry-After');
  if (context.response.headers.get('Link')?.includes(SPENT)) return false;
  if (context.response.status === 409) return wait !== null;
  return TRANSIENT.has(context.response.status) && Number(wait ?? 0) <= LONGEST_WAIT;
}
