// The types of console_static/vendor/preact.js, which build.py takes from the package htm.

import type { VNode } from "preact";

export { createContext, render } from "preact";
export {
  useCallback,
  useContext,
  useEffect,
  useErrorBoundary,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "preact/hooks";
export function html(strings: TemplateStringsArray, ...values: unknown[]): VNode;
