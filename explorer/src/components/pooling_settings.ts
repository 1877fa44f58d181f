// The settings of the pooling explorer.

import { sizeOf } from "../arithmetic/arrays.ts";
import type { Pair } from "../arithmetic/checks.ts";
import { LIMITS } from "../state/codec.ts";
import type { PoolingState } from "../state/pooling.ts";
import { checkbox, menu, setting, size } from "./fields.ts";
import type { FieldGroup } from "./fields.ts";
import { paddingFields } from "./padding_fields.ts";
import { resized } from "./volumes.ts";

export function poolingSettings(
  state: PoolingState,
  change: (state: PoolingState) => void,
): FieldGroup[] {
  const { input, kernel, mode } = state;
  const [height, width] = sizeOf(input[0]);
  const set = (changed: Partial<PoolingState>) => change({ ...state, ...changed });
  const resize = (channels: number, rows: number, columns: number) =>
    set({ input: resized(input, [channels, rows, columns], 0) });
  const pair = ([down, across]: Pair, take: (pair: Pair) => void) => [
    setting("down", down, (n) => take([n, across])),
    setting("across", across, (n) => take([down, n])),
  ];
  const max = mode === "max";
  return [
    {
      legend: "Pooling",
      about: ["ceil_mode", "count_include_pad", "divisor_override"],
      content: [
        menu("takes", mode, { max: "the largest", avg: "the mean" }, (next) => set({ mode: next })),
        checkbox("round sizes up (ceil_mode)", state.ceilMode, (on) => set({ ceilMode: on })),
        ...(max ? [] : divisorFields(state, set)),
      ],
    },
    {
      legend: "Input",
      about: ["input"],
      content: [
        size("channels", input.length, LIMITS.channels, (n) => resize(n, height, width)),
        size("rows", height, LIMITS.size, (n) => resize(input.length, n, width)),
        size("columns", width, LIMITS.size, (n) => resize(input.length, height, n)),
      ],
    },
    {
      legend: "Window",
      about: ["kernel_size"],
      content: pair(kernel, (next) => set({ kernel: next })),
    },
    {
      legend: "Stride",
      about: ["stride"],
      content: [
        checkbox("as the window", state.stride === null, (on) => set({ stride: on ? null : kernel })),
        ...(state.stride ? pair(state.stride, (next) => set({ stride: next })) : []),
      ],
    },
    {
      legend: "Padding",
      about: ["padding"],
      content: paddingFields(state.padding, (padding) => set({ padding })),
    },
    ...(max
      ? [
          {
            legend: "Dilation",
            about: ["dilation"],
            content: pair(state.dilation, (next) => set({ dilation: next })),
          },
        ]
      : []),
  ];
}

function divisorFields(state: PoolingState, set: (changed: Partial<PoolingState>) => void) {
  const { divisorOverride } = state;
  return [
    checkbox("padding counts (count_include_pad)", state.countIncludePad, (on) =>
      set({ countIncludePad: on }),
    ),
    checkbox("one divisor for all (divisor_override)", divisorOverride !== null, (on) =>
      set({ divisorOverride: on ? state.kernel[0] * state.kernel[1] : null }),
    ),
    ...(divisorOverride === null
      ? []
      : [setting("divisor", divisorOverride, (n) => set({ divisorOverride: n }))]),
  ];
}
