// Storage of the browser, for a tab and for all visits. Where the browser blocks it, as it may for people who
// accept no cookies, values last as long as the page.

/** @param {"sessionStorage"|"localStorage"} name */
function openStorage(name) {
  const values = new Map();
  const attempt = (use, fallback) => {
    try {
      return use(globalThis[name]);
    } catch {
      return fallback(); // blocked, or full
    }
  };
  return {
    /** Return the text under a key, or null. */
    read: (key) =>
      values.get(key) ??
      attempt(
        (storage) => storage.getItem(key),
        () => null,
      ),
    store: (key, text) =>
      attempt(
        (storage) => storage.setItem(key, text),
        () => values.set(key, text),
      ),
    remove(key) {
      values.delete(key);
      attempt(
        (storage) => storage.removeItem(key),
        () => null,
      );
    },
  };
}

export const tabStorage = openStorage("sessionStorage");
export const lastingStorage = openStorage("localStorage");
