// The state of the convolution explorer, and its form in a link.

import { range } from "../arithmetic/arrays.ts";
import type { Volume } from "../arithmetic/arrays.ts";
import type { Pair } from "../arithmetic/checks.ts";
import { PADDING_MODES } from "../arithmetic/padding.ts";
import type { PaddingMode } from "../arithmetic/padding.ts";
import type { Index } from "../worked/layout.ts";
import {
  decodeNumbers,
  decodePadding,
  decodePair,
  decodeVolume,
  encodeNumbers,
  encodePadding,
  encodePair,
  encodeVolume,
  joinFields,
  LIMITS,
  LinkError,
  need,
  oneOf,
  parseInteger,
  parseSize,
  splitFields,
} from "./codec.ts";
import type { PaddingSetting } from "./codec.ts";
import type { Codec } from "./link.ts";

export interface ConvolutionState {
  readonly input: Volume;
  readonly weight: Volume[];
  readonly bias: number[] | null;
  readonly stride: Pair;
  readonly padding: PaddingSetting;
  readonly mode: PaddingMode;
  readonly dilation: Pair;
  readonly groups: number;
  /** The output cell that is derived. */
  readonly cell: Index;
}

export const convolutionCodec: Codec<ConvolutionState> = {
  key: "convolution",

  encode(state) {
    const { input, weight, bias, stride, padding, mode, dilation, groups, cell } = state;
    const filters = weight.flat();
    return joinFields({
      x: encodeVolume(input),
      // The number of filters, then all of them as one volume.
      w: `${weight.length}.${weight[0].length}x${weight[0][0].length}x${weight[0][0][0].length}_${encodeNumbers(filters.flat(2))}`,
      b: bias && encodeNumbers(bias),
      s: same(stride, [1, 1]) ? null : encodePair(stride),
      p: padding === 0 ? null : encodePadding(padding),
      m: mode === "constant" ? null : mode,
      d: same(dilation, [1, 1]) ? null : encodePair(dilation),
      g: groups === 1 ? null : String(groups),
      c: cell.every((i) => i === 0) ? null : cell.join("x"),
    });
  },

  decode(text) {
    const fields = splitFields(text, "xwbspmdgc");
    const input = decodeVolume(need(fields, "x"), LIMITS.size);
    const weight = decodeFilters(need(fields, "w"));
    const bias = fields.get("b");
    const cell = (fields.get("c") ?? "0x0x0").split("x").map(parseInteger);
    if (cell.length !== 3 || cell.some((i) => i < 0)) throw new LinkError("its output cell cannot be read");
    return {
      input,
      weight,
      bias: bias === undefined ? null : decodeNumbers(bias, weight.length),
      stride: decodePair(fields.get("s") ?? "1"),
      padding: decodePadding(fields.get("p") ?? "0"),
      mode: oneOf(fields.get("m") ?? "constant", PADDING_MODES),
      dilation: decodePair(fields.get("d") ?? "1"),
      groups: parseInteger(fields.get("g") ?? "1"),
      cell: [cell[0], cell[1], cell[2]],
    };
  },
};

const same = (a: Pair, b: Pair): boolean => a[0] === b[0] && a[1] === b[1];

function decodeFilters(text: string): Volume[] {
  const [count, body, ...rest] = text.split(/\.(.*)/s);
  if (body === undefined || rest.some(Boolean)) throw new LinkError("its filters cannot be read");
  const filters = parseSize(count, LIMITS.filters);
  const [head, values] = [body.slice(0, body.indexOf("_")), body.slice(body.indexOf("_") + 1)];
  const sizes = head.split("x");
  if (sizes.length !== 3) throw new LinkError("the shape of its filters does not have 3 sizes");
  const channels = parseSize(sizes[0], LIMITS.channels);
  const [height, width] = [parseSize(sizes[1], LIMITS.kernel), parseSize(sizes[2], LIMITS.kernel)];
  const numbers = decodeNumbers(values, filters * channels * height * width);
  return range(filters).map((f) =>
    range(channels).map((c) =>
      range(height).map((row) => {
        const start = ((f * channels + c) * height + row) * width;
        return numbers.slice(start, start + width);
      }),
    ),
  );
}
