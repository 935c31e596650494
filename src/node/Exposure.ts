/**
 * What keeps strangers out of a listener that other machines can reach. Where nothing does, a node does not start unless
 * it is told to.
 */

export interface Listener {
  /** As its owner wrote it: `--grpc 0.0.0.0:50051`. */
  readonly written: string
  /** Whether other machines can reach it. */
  readonly isExposed: boolean
  readonly hasTls: boolean
  /** How it would have TLS, after "use 127.0.0.1, "; undefined where it cannot. */
  readonly forTls?: string | undefined
  /** Whether it knows who connects: because clients show certificates, or because access rules say who may. */
  readonly knowsClients: boolean
}

/** Why a listener is not to be opened without `--insecure`, as a sentence without a full stop, or `undefined`. */
export const exposureProblem = ({ forTls, hasTls, isExposed, knowsClients, written }: Listener): string | undefined => {
  if (!isExposed) return undefined
  // Without TLS, access rules are no help: names and tokens can be read on the way.
  if (!hasTls) {
    return `${written} can be reached from other machines and has no TLS: use 127.0.0.1, ${forTls === undefined ? "" : `${forTls}, `}or add --insecure`
  }
  return knowsClients
    ? undefined
    : `${written} can be reached from other machines, and by everybody: say who may connect with --tls-client-ca or --access, or add --insecure`
}
