// The state of the pooling explorer, and its form in a link.

import type { Volume } from "../arithmetic/arrays.ts";
import type { Pair } from "../arithmetic/checks.ts";
import type { Index } from "../worked/layout.ts";
import {
  decodePadding,
  decodePair,
  decodeVolume,
  encodePadding,
  encodePair,
  encodeVolume,
  joinFields,
  LIMITS,
  LinkError,
  need,
  oneOf,
  parseInteger,
  splitFields,
} from "./codec.ts";
import type { PaddingSetting } from "./codec.ts";
import type { Codec } from "./link.ts";

export interface PoolingState {
  readonly mode: "max" | "avg";
  readonly input: Volume;
  readonly kernel: Pair;
  /** null is the kernel's size. */
  readonly stride: Pair | null;
  readonly padding: PaddingSetting;
  /** Max pooling only. */
  readonly dilation: Pair;
  readonly ceilMode: boolean;
  /** Average pooling only, as is the next. */
  readonly countIncludePad: boolean;
  readonly divisorOverride: number | null;
  readonly cell: Index;
}

export const poolingCodec: Codec<PoolingState> = {
  key: "pooling",

  encode(state) {
    const { mode, input, kernel, stride, padding, dilation, divisorOverride, cell } = state;
    return joinFields({
      m: mode,
      x: encodeVolume(input),
      k: encodePair(kernel),
      s: stride && encodePair(stride),
      p: padding === 0 ? null : encodePadding(padding),
      d: dilation[0] === 1 && dilation[1] === 1 ? null : encodePair(dilation),
      u: state.ceilMode ? "" : null,
      e: state.countIncludePad ? null : "",
      o: divisorOverride === null ? null : String(divisorOverride),
      c: cell.every((i) => i === 0) ? null : cell.join("x"),
    });
  },

  decode(text) {
    const fields = splitFields(text, "mxkspdueoc");
    const stride = fields.get("s");
    const override = fields.get("o");
    const cell = (fields.get("c") ?? "0x0x0").split("x").map(parseInteger);
    if (cell.length !== 3 || cell.some((i) => i < 0)) throw new LinkError("its output cell cannot be read");
    if (fields.get("u") || fields.get("e")) throw new LinkError("a switch in it has a value");
    return {
      mode: oneOf(need(fields, "m"), ["max", "avg"]),
      input: decodeVolume(need(fields, "x"), LIMITS.size),
      kernel: decodePair(need(fields, "k")),
      stride: stride === undefined ? null : decodePair(stride),
      padding: decodePadding(fields.get("p") ?? "0"),
      dilation: decodePair(fields.get("d") ?? "1"),
      ceilMode: fields.has("u"),
      countIncludePad: !fields.has("e"),
      divisorOverride: override === undefined ? null : parseInteger(override),
      cell: [cell[0], cell[1], cell[2]],
    };
  },
};
