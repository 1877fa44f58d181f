// Undo and redo. A history is a value: each change returns a new one.

export interface History<State> {
  readonly past: readonly State[];
  readonly present: State;
  readonly future: readonly State[];
}

const DEPTH = 200;

export const begin = <State>(present: State): History<State> => ({ past: [], present, future: [] });

/** A change that undo reverts. */
export const push = <State>(history: History<State>, present: State): History<State> => ({
  past: [...history.past, history.present].slice(-DEPTH),
  present,
  future: [],
});

/** A change that undo ignores, such as a step to the next cell. */
export const replace = <State>(history: History<State>, present: State): History<State> => ({
  ...history,
  present,
});

export function undo<State>({ past, present, future }: History<State>): History<State> {
  if (!past.length) return { past, present, future };
  return {
    past: past.slice(0, -1),
    present: past[past.length - 1],
    future: [present, ...future],
  };
}

export function redo<State>({ past, present, future }: History<State>): History<State> {
  if (!future.length) return { past, present, future };
  return { past: [...past, present], present: future[0], future: future.slice(1) };
}
