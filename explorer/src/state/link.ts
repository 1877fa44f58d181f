// The state of an explorer in the page's address: one parameter for each kind of explorer.

import { LinkError } from "./codec.ts";

export interface Codec<State> {
  /** The parameter's name. */
  readonly key: string;
  encode(state: State): string;
  /** Throws LinkError for anything but what `encode` writes. */
  decode(text: string): State;
}

/** Servers can refuse longer addresses. */
const LONGEST = 6000;
/** A longer parameter is hostile or broken, and is not read. */
const LONGEST_READ = 100_000;

export interface Opened<State> {
  /** null if the address has no state, or none that can be used. */
  state: State | null;
  /** What to tell the reader about a link that cannot be used. */
  message: string | null;
}

/** Read the state out of the query of an address. */
export function open<State>(codec: Codec<State>, search: string): Opened<State> {
  const text = parameter(codec.key, search);
  if (text === null) return { state: null, message: null };
  try {
    if (text.length > LONGEST_READ) throw new LinkError("it is too long");
    return { state: codec.decode(text), message: null };
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    const message = `This link cannot be used: ${error.message}. The usual example is shown instead.`;
    return { state: null, message };
  }
}

function parameter(key: string, search: string): string | null {
  for (const part of search.replace(/^\?/, "").split("&")) {
    if (part.startsWith(`${key}=`)) return part.slice(key.length + 1);
  }
  return null;
}

/** The query without any state of this kind. */
export function clear<State>(codec: Codec<State>, search: string): string {
  const others = search
    .replace(/^\?/, "")
    .split("&")
    .filter((part) => part && !part.startsWith(`${codec.key}=`));
  return others.length ? `?${others.join("&")}` : "";
}

/** The query with this state in it; null when it would be too long for a link. */
export function write<State>(codec: Codec<State>, state: State, search: string): string | null {
  const others = clear(codec, search);
  const query = `${others ? `${others}&` : "?"}${codec.key}=${codec.encode(state)}`;
  return query.length > LONGEST ? null : query;
}
