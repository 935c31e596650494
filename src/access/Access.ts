/**
 * Who may do what: the rules that hold now, for everybody who serves others.
 *
 * Whoever accepts a caller asks once for its `Permissions`, and keeps them for as long as the connection or the call
 * lasts. Where rules change meanwhile, or a client is to be disconnected, it is told by `onRevoked` and ends what it
 * has open for that principal; who comes back is judged anew.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { CertificateName } from "../domain/CertificateName.ts"
import { primaryOf } from "../domain/ClientName.ts"
import { type AccessRules, anonymous, type Principal } from "./AccessRules.ts"
import { ownersByCertificate } from "./certificates.ts"
import { withinNetworks } from "./Networks.ts"
import * as Permissions from "./Permissions.ts"
import { ownerByToken } from "./tokens.ts"

export class Access extends Context.Service<
  Access,
  {
    /** Whether there are rules; without them everybody may do everything. */
    readonly hasRules: boolean
    /**
     * What a client may do that is known by the name it gives itself (of a secondary, its primary's), or `.grpc`; undefined
     * where it may not even connect: because it is not listed, comes from elsewhere, or has tokens or certificates and
     * shows none.
     *
     * Who shows a certificate that is a principal's is that one: `.grpc` stands for it then, and any other name is
     * refused. A certificate that is nobody's says nothing, and one that is several principals' lets nobody in.
     *
     * @param source the address of the other side, absent only where there cannot be one, as with a Unix socket
     * @param certificate the names in a certificate that was verified
     */
    readonly permissionsOf: (
      name: string,
      source?: string,
      certificate?: ReadonlyArray<CertificateName>,
    ) => Permissions.Permissions | undefined
    /** The same for who shows a token. */
    readonly permissionsOfToken: (token: string, source?: string) => Permissions.Permissions | undefined
    /** Calls back for each principal whose permissions are no longer those that were given out, until the scope closes. */
    readonly onRevoked: (listener: (principal: string) => void) => Effect.Effect<void, never, Scope.Scope>
    /** Ends what a client has open. It may come back, under the rules that hold then. */
    readonly forceDisconnect: (name: string) => Effect.Effect<void>
  }
>()("millrace/access/Access") {
  /** Everybody may do everything. */
  static readonly layerOpen: Layer.Layer<Access> = Layer.sync(this, () => open())

  /** Rules that stay as they are. */
  static readonly layerRules = (rules: AccessRules): Layer.Layer<Access> => Layer.sync(this, () => make(rules).access)
}

/** A principal as it is looked up. */
interface Listed {
  readonly permissions: Permissions.Permissions
  readonly isWithin: (source: string) => boolean
  /** A token or a certificate has to be shown. */
  readonly needsProof: boolean
  /** What it was made of: an equal one needs no other permissions. */
  readonly written: string
}

interface Compiled {
  readonly listed: ReadonlyMap<string, Listed>
  readonly ownerOf: (token: string) => string | undefined
  readonly ownersOf: (certificate: ReadonlyArray<CertificateName>) => ReadonlySet<string>
}

const listedOf = (name: string, principal: Principal, before: Listed | undefined): Listed => {
  const { certificates = [], networks, tokens = [], ...allowances } = principal
  const written = JSON.stringify(principal)
  return before?.written === written
    ? before
    : {
        permissions: Permissions.make(name, allowances),
        isWithin: networks === undefined ? () => true : withinNetworks(networks),
        needsProof: tokens.length + certificates.length > 0,
        written,
      }
}

const compile = ({ principals }: AccessRules, before: Compiled | undefined): Compiled => {
  const entries = Object.entries(principals)
  return {
    listed: new Map(entries.map(([name, principal]) => [name, listedOf(name, principal, before?.listed.get(name))])),
    ownerOf: ownerByToken(entries.map(([owner, { tokens = [] }]) => ({ owner, tokens }))),
    ownersOf: ownersByCertificate(entries.map(([owner, { certificates = [] }]) => ({ owner, certificates }))),
  }
}

/** Tells everybody who asked to be told. */
const makeNotice = () => {
  const listeners = new Set<(principal: string) => void>()
  return {
    onRevoked: (listener: (principal: string) => void) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          // A function of its own: the same listener may be there twice.
          const own = (principal: string): void => listener(principal)
          listeners.add(own)
          return own
        }),
        (own) => Effect.sync(() => listeners.delete(own)),
      ).pipe(Effect.asVoid),
    tell: (principal: string): void => {
      for (const listener of listeners) listener(principal)
    },
  }
}

/** Rules in force, which can be replaced. */
export interface ReplaceableAccess {
  readonly access: Access["Service"]
  /** Puts other rules in force, and gives the principals that have others now, or none: who holds theirs has been told. */
  readonly replace: (rules: AccessRules) => ReadonlyArray<string>
}

export const make = (initial: AccessRules): ReplaceableAccess => {
  let compiled = compile(initial, undefined)
  const { onRevoked, tell } = makeNotice()

  const admit = (principal: string | undefined, source: string | undefined, hasProof: boolean) => {
    const found = principal === undefined ? undefined : compiled.listed.get(principal)
    if (found === undefined || (found.needsProof && !hasProof)) return undefined
    return source === undefined || found.isWithin(source) ? found.permissions : undefined
  }

  return {
    access: Access.of({
      hasRules: true,
      permissionsOf: (name, source, certificate = []) => {
        const owners = compiled.ownersOf(certificate)
        if (owners.size === 0) return admit(primaryOf(name), source, false)
        const [owner] = owners
        const isOwn = name === anonymous || primaryOf(name) === owner
        return owners.size === 1 && isOwn ? admit(owner, source, true) : undefined
      },
      permissionsOfToken: (token, source) => admit(compiled.ownerOf(token), source, true),
      onRevoked,
      forceDisconnect: (name) => Effect.sync(() => tell(primaryOf(name))),
    }),
    replace: (rules) => {
      const before = compiled
      compiled = compile(rules, before)
      const revoked = [...before.listed].flatMap(([name, listed]) =>
        compiled.listed.get(name) === listed ? [] : [name],
      )
      for (const name of revoked) tell(name)
      return revoked
    },
  }
}

/** No rules: everybody may do everything. */
export const open = (): Access["Service"] => {
  const { onRevoked, tell } = makeNotice()
  const byToken = Permissions.all(anonymous)
  return Access.of({
    hasRules: false,
    permissionsOf: (name) => (name === anonymous ? byToken : Permissions.all(primaryOf(name))),
    // Without rules nobody is known by a token: who shows one may do what everybody may.
    permissionsOfToken: () => byToken,
    onRevoked,
    forceDisconnect: (name) => Effect.sync(() => tell(primaryOf(name))),
  })
}
