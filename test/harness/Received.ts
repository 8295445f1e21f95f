/** Bytes that arrive in pieces and are read as one. Never a `Buffer`, so that deep equality works. */
export interface Received {
  readonly push: (chunk: Uint8Array) => void
  readonly bytes: () => Uint8Array
}

export const makeReceived = (): Received => {
  let whole = new Uint8Array(0)
  let pieces: Array<Uint8Array> = []
  return {
    push: (chunk) => void pieces.push(chunk),
    bytes: () => {
      if (pieces.length > 0) {
        whole = new Uint8Array(Buffer.concat([whole, ...pieces]))
        pieces = []
      }
      return whole
    }
  }
}
