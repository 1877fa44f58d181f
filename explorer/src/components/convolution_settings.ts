// The settings of the convolution explorer: their fields, and the effect of a change of size.

import { range, sizeOf } from "../arithmetic/arrays.ts";
import type { Volume } from "../arithmetic/arrays.ts";
import type { PaddingMode } from "../arithmetic/padding.ts";
import { LIMITS } from "../state/codec.ts";
import type { ConvolutionState } from "../state/convolution.ts";
import { checkbox, menu, setting, size } from "./fields.ts";
import type { FieldGroup } from "./fields.ts";
import { paddingFields } from "./padding_fields.ts";
import { resized } from "./volumes.ts";

const MODES: Readonly<Record<PaddingMode, string>> = {
  constant: "zeros",
  reflect: "reflect",
  replicate: "replicate",
  circular: "circular",
};

export function convolutionSettings(
  state: ConvolutionState,
  change: (state: ConvolutionState) => void,
): FieldGroup[] {
  const { input, weight, bias, stride, padding, mode, dilation, groups } = state;
  const [height, width] = sizeOf(input[0]);
  const [kernelHeight, kernelWidth] = sizeOf(weight[0][0]);
  const set = (changed: Partial<ConvolutionState>) => change({ ...state, ...changed });
  const resize = (sizes: Sizes) => change(withSizes(state, sizes));
  return [
    {
      legend: "Input",
      about: ["input"],
      content: [
        size("channels", input.length, LIMITS.channels, (channels) => resize({ channels })),
        size("rows", height, LIMITS.size, (n) => resize({ height: n })),
        size("columns", width, LIMITS.size, (n) => resize({ width: n })),
      ],
    },
    {
      legend: "Filters",
      about: ["kernel_size", "weight", "bias"],
      content: [
        size("number", weight.length, LIMITS.filters, (filters) => resize({ filters })),
        size("rows", kernelHeight, LIMITS.kernel, (n) => resize({ kernelHeight: n })),
        size("columns", kernelWidth, LIMITS.kernel, (n) => resize({ kernelWidth: n })),
        checkbox("bias", bias !== null, (on) => set({ bias: on ? weight.map(() => 0) : null })),
      ],
    },
    {
      legend: "Stride",
      about: ["stride"],
      content: [
        setting("down", stride[0], (n) => set({ stride: [n, stride[1]] })),
        setting("across", stride[1], (n) => set({ stride: [stride[0], n] })),
      ],
    },
    {
      legend: "Padding",
      about: ["padding", "mode"],
      content: [
        ...paddingFields(padding, (next) => set({ padding: next })),
        menu("filled with", mode, MODES, (next) => set({ mode: next })),
      ],
    },
    {
      legend: "Dilation",
      about: ["dilation"],
      content: [
        setting("down", dilation[0], (n) => set({ dilation: [n, dilation[1]] })),
        setting("across", dilation[1], (n) => set({ dilation: [dilation[0], n] })),
      ],
    },
    {
      legend: "Groups",
      about: ["groups"],
      content: [setting("number", groups, (n) => resize({ groups: n }))],
    },
  ];
}

interface Sizes {
  channels?: number;
  height?: number;
  width?: number;
  filters?: number;
  kernelHeight?: number;
  kernelWidth?: number;
  groups?: number;
}

/** Numbers that still have a place stay; new pixels are 0, new weights 1. */
function withSizes(state: ConvolutionState, sizes: Sizes): ConvolutionState {
  const { input, weight, bias } = state;
  const [height, width] = sizeOf(input[0]);
  const [kernelHeight, kernelWidth] = sizeOf(weight[0][0]);
  const channels = sizes.channels ?? input.length;
  const groups = sizes.groups ?? state.groups;
  // A number of groups that does not divide the channels changes nothing here: the check reports it.
  const each = groups > 0 && channels % groups === 0 ? channels / groups : weight[0].length;
  const filters = range(sizes.filters ?? weight.length);
  const filter = (old: Volume) =>
    resized(old, [each, sizes.kernelHeight ?? kernelHeight, sizes.kernelWidth ?? kernelWidth], 1);
  return {
    ...state,
    groups,
    input: resized(input, [channels, sizes.height ?? height, sizes.width ?? width], 0),
    weight: filters.map((f) => filter(weight[f] ?? [])),
    bias: bias && filters.map((f) => bias[f] ?? 0),
  };
}
