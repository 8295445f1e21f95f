import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type LeafName, leafNames, makePki } from "./Pki.ts"

/** Where the files of one leaf are. */
export interface CredentialFiles {
  /** NAME.pem: the leaf and its intermediates */
  readonly cert: string
  /** NAME.key: PKCS #8 */
  readonly key: string
  /** NAME.chain.pem: the intermediates alone, absent if there are none (openssl wants them apart) */
  readonly chain?: string
}

/** The PKI as files, for peers that read nothing else. */
export interface PkiFiles {
  readonly directory: string
  readonly ca: string
  readonly other: string
  readonly int: string
  /** The files of a leaf; a leaf that was not written is an error. */
  readonly of: (name: LeafName) => CredentialFiles
}

const writeLeaf = async (directory: string, name: LeafName): Promise<CredentialFiles> => {
  const credential = await (await makePki())[name]()
  const cert = join(directory, `${name}.pem`)
  const key = join(directory, `${name}.key`)
  await writeFile(cert, credential.certificatePem)
  await writeFile(key, credential.privateKeyPem, { mode: 0o600 })
  if (credential.intermediatesPem === "") return { cert, key }
  const chain = join(directory, `${name}.chain.pem`)
  await writeFile(chain, credential.intermediatesPem)
  return { cert, key, chain }
}

/** Writes ca.pem, other.pem, int.pem and the files of `names` (all leaves by default) into `directory`. */
export const writePki = async (
  directory: string,
  names: ReadonlyArray<LeafName> = leafNames
): Promise<PkiFiles> => {
  const pki = await makePki()
  await mkdir(directory, { recursive: true })
  const authority = async (name: "ca" | "other" | "int") => {
    const path = join(directory, `${name}.pem`)
    await writeFile(path, pki[name].certificatePem)
    return path
  }
  const [ca, other, int] = await Promise.all([authority("ca"), authority("other"), authority("int")])
  const leaves = new Map(
    await Promise.all(names.map(async (name) => [name, await writeLeaf(directory, name)] as const))
  )
  return {
    directory,
    ca,
    other,
    int,
    of: (name) => {
      const files = leaves.get(name)
      if (files === undefined) {
        throw new Error(`the certificate "${name}" was not among those written: ${names.join(", ")}`)
      }
      return files
    }
  }
}

/** `writePki` into a temporary folder that the scope removes, keys and all. Name the leaves: each costs its key. */
export const pkiFiles = (...names: ReadonlyArray<LeafName>): Effect.Effect<PkiFiles, never, Scope.Scope> =>
  Effect.flatMap(
    Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "effect-tls-pki-"))),
      (directory) => Effect.ignoreCause(Effect.promise(() => rm(directory, { recursive: true, force: true })))
    ),
    (directory) => Effect.promise(() => writePki(directory, names))
  )
