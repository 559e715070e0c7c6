import { isGrpcServiceError } from '@temporalio/client';

/** The server's (or the network's) own error in what a client of Temporal threw, which may be wrapped; undefined when it is another. */
export function grpcErrorIn(error: unknown): { readonly code: number } | undefined {
  if (isGrpcServiceError(error)) return error;
  return error instanceof Error && isGrpcServiceError(error.cause) ? error.cause : undefined;
}
