// tsyringe, a dependency of @peculiar/x509, refuses to load without the Reflect metadata functions and expects its user
// to install a polyfill of them. These three are all it calls. Import this file before @peculiar/x509.

const stores = new WeakMap<object, Map<unknown, unknown>>()

const getOwnMetadata = (key: unknown, target: object): unknown => stores.get(target)?.get(key)

const getMetadata = (key: unknown, target: object): unknown => {
  for (let owner: object | null = target; owner !== null; owner = Reflect.getPrototypeOf(owner)) {
    const store = stores.get(owner)
    if (store?.has(key) === true) return store.get(key)
  }
  return undefined
}

const defineMetadata = (key: unknown, value: unknown, target: object): void => {
  const store = stores.get(target) ?? new Map<unknown, unknown>()
  stores.set(target, store.set(key, value))
}

if (!("getMetadata" in Reflect)) Object.assign(Reflect, { getMetadata, getOwnMetadata, defineMetadata })
