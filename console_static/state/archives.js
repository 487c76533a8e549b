// Where the server may keep archives.

import { useInstallation } from "./installation.js";

const NONE = { folder: false, buckets: [] };

/** Return whether the server has a `folder` for archives, and which `buckets` of S3, or folders in them. */
export const useArchives = () => useInstallation().system?.archives ?? NONE;

/** Return the URI of a folder for archives. */
export const folderOf = (/** @type {string} */ bucket) => `s3://${bucket.replace(/\/$/, "")}/`;
