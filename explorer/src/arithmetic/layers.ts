// A network as a list of layers: shapes, parameters, work and memory, cnnref/networks/layers.py and cost.py.

import {
  asFlag,
  asInt,
  asPadding,
  asPair,
  asSides,
  AXES,
  outputLength,
  reachOf,
} from "./checks.ts";
import type { Pair, Sides } from "./checks.ts";
import { exact } from "./budget.ts";
import { CheckError, given, repr, valueError } from "./errors.ts";
import { checkHalf, checkWindows } from "./windows.ts";

/** (C, H, W) of one image, or (features) after `flatten`. */
export type Shape = readonly number[];

export interface ConvLayer {
  kind: "conv";
  name?: string;
  out_channels: unknown;
  kernel_size: unknown;
  stride: unknown;
  padding: unknown;
  dilation: unknown;
  groups: unknown;
  bias: boolean;
}

export interface TransposedLayer {
  kind: "transposed";
  name?: string;
  out_channels: unknown;
  kernel_size: unknown;
  stride: unknown;
  padding: unknown;
  output_padding: unknown;
  groups: unknown;
  bias: boolean;
  dilation: unknown;
}

export interface PoolLayer {
  kind: "pool";
  name?: string;
  mode: "max" | "avg";
  kernel_size: unknown;
  stride: unknown;
  padding: unknown;
  dilation: unknown;
  ceil_mode: unknown;
}

export interface LinearLayer {
  kind: "linear";
  name?: string;
  out_features: unknown;
  bias: boolean;
}

export interface ActivationLayer {
  kind: "activation";
  name?: string;
  function: string;
}

export interface PlainLayer {
  kind: "global_avg_pool" | "flatten" | "batch_norm";
  name?: string;
}

/** Several paths from one input, joined at their ends: an inception or a residual block. */
export interface BranchesLayer {
  kind: "branches";
  name?: string;
  paths: Layer[][];
  join: "concat" | "sum";
}

export type Layer =
  | ConvLayer
  | TransposedLayer
  | PoolLayer
  | LinearLayer
  | ActivationLayer
  | PlainLayer
  | BranchesLayer;

/** What an output cell reads of the layer's input. */
export interface Window {
  kernel: Pair;
  stride: Pair;
  padding: Sides;
  dilation: Pair;
}

const ONE_CELL: Window = {
  kernel: [1, 1],
  stride: [1, 1],
  padding: [
    [0, 0],
    [0, 0],
  ],
  dilation: [1, 1],
};

/** Refuse settings that are wrong for every input. */
export function checkLayer(layer: Layer): void {
  switch (layer.kind) {
    case "conv":
      asInt(layer.out_channels, "out_channels", 1);
      asInt(layer.groups, "groups", 1);
      divisible(layer.out_channels as number, "filters", layer.groups as number);
      convWindow(layer);
      return;
    case "transposed":
      asInt(layer.out_channels, "out_channels", 1);
      asInt(layer.groups, "groups", 1);
      divisible(layer.out_channels as number, "filters", layer.groups as number);
      transposedSettings(layer);
      return;
    case "pool": {
      const window = poolWindow(layer);
      checkHalf(window.kernel, window.padding, layer);
      if (layer.mode === "avg" && window.dilation.some((step) => step !== 1)) {
        throw valueError(
          "dilation",
          `\`dilation\` ${given(layer.dilation)} must be 1 for average pooling`,
        );
      }
      return;
    }
    case "linear":
      asInt(layer.out_features, "out_features", 1);
      return;
    case "branches":
      if (!layer.paths.length) {
        throw valueError("paths", "`paths` is empty, but a block needs at least one path");
      }
      layer.paths.flat().forEach(checkLayer);
      return;
    case "activation":
    case "global_avg_pool":
    case "flatten":
    case "batch_norm":
      return;
  }
}

function convWindow(layer: ConvLayer): Window {
  const kernel = asPair(layer.kernel_size, "kernel_size", 1);
  const stride = asPair(layer.stride, "stride", 1);
  const dilation = asPair(layer.dilation, "dilation", 1);
  return { kernel, stride, padding: asPadding(layer.padding, kernel, stride, dilation), dilation };
}

function poolWindow(layer: PoolLayer): Window {
  const kernel = asPair(layer.kernel_size, "kernel_size", 1);
  const stride = layer.stride === null ? kernel : asPair(layer.stride, "stride", 1);
  const dilation = asPair(layer.dilation, "dilation", 1);
  return { kernel, stride, padding: asPadding(layer.padding, kernel, stride, dilation), dilation };
}

interface TransposedSettings extends Window {
  outputPadding: Pair;
}

function transposedSettings(layer: TransposedLayer): TransposedSettings {
  const kernel = asPair(layer.kernel_size, "kernel_size", 1);
  const stride = asPair(layer.stride, "stride", 1);
  const dilation = asPair(layer.dilation, "dilation", 1);
  const padding = asSides(layer.padding);
  const outputPadding = asPair(layer.output_padding, "output_padding", 0);
  return { kernel, stride, padding, dilation, outputPadding };
}

/** What one input cell of a transposed convolution adds to: the window of the convolution back. */
export function scatterOf(layer: TransposedLayer): Window {
  const { kernel, stride, padding, dilation } = transposedSettings(layer);
  return { kernel, stride, padding, dilation };
}

/** What an output cell reads; null where it reads the whole map, or where cells differ. */
export function windowOf(layer: Layer): Window | null {
  switch (layer.kind) {
    case "conv":
      return convWindow(layer);
    case "pool":
      return poolWindow(layer);
    case "global_avg_pool":
    case "flatten":
    case "linear":
    case "transposed":
      return null;
    case "batch_norm":
    case "activation":
    case "branches":
      return ONE_CELL;
  }
}

const timesOf = (value: unknown): string => asPair(value, "kernel_size", 1).join("×");

export function kindOf(layer: Layer): string {
  switch (layer.kind) {
    case "conv":
      return `conv ${timesOf(layer.kernel_size)}`;
    case "transposed":
      return `transposed conv ${timesOf(layer.kernel_size)}`;
    case "pool":
      return `${layer.mode} pool ${timesOf(layer.kernel_size)}`;
    case "branches":
      return `${layer.join} of ${layer.paths.length} paths`;
    case "activation":
      return layer.function;
    case "global_avg_pool":
      return "global avg pool";
    case "batch_norm":
      return "batch norm";
    case "flatten":
    case "linear":
      return layer.kind;
  }
}

/** The name, or the kind of a layer without one. */
export const labelOf = (layer: Layer): string => layer.name || kindOf(layer);

const product = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

/** Sizes that are exact integers, so that everything computed from them is exact. */
const exactShape = (shape: Shape): Shape =>
  shape.map((size) => exact(size, "a side of the output", "input_shape"));

function divisible(count: number, what: string, groups: number): void {
  if (count % groups) {
    throw valueError("groups", `\`groups\` (${groups}) must divide the number of ${what} (${count})`);
  }
}

function asMap(shape: Shape, kind: string): [number, number, number] {
  if (shape.length !== 3) {
    throw valueError("", `${kind} needs a map (channels, rows, columns), not the shape ${repr(shape)}`);
  }
  return [shape[0], shape[1], shape[2]];
}

/** How one side of an output is computed: the formula with its numbers, and its result. */
export interface AxisStep {
  formula: string;
  result: number;
}

export interface LayerShape {
  shape: Shape;
  /** Height and width; none where the layer computes neither. */
  steps: AxisStep[];
}

const signed = (sides: Pair, sign: string): string =>
  sides[0] || sides[1] ? ` ${sign} ${sides[0]} ${sign} ${sides[1]}` : "";

function slidingStep(size: number, window: Window, axis: 0 | 1, ceilMode: boolean): string {
  const [kernel, dilation] = [window.kernel[axis], window.dilation[axis]];
  const reach = dilation > 1 ? `${dilation}·(${kernel} − 1) − 1` : String(kernel);
  const [open, close] = ceilMode ? "⌈⌉" : "⌊⌋";
  return `${open}(${size}${signed(window.padding[axis], "+")} − ${reach}) / ${window.stride[axis]}${close} + 1`;
}

/** The output shape for an input shape, with the derivation of its sides. */
export function outputOf(layer: Layer, input: Shape): LayerShape {
  switch (layer.kind) {
    case "conv": {
      const [channels, height, width] = asMap(input, kindOf(layer));
      divisible(channels, "input channels", layer.groups as number);
      const window = convWindow(layer);
      const steps = ([0, 1] as const).map((axis) => ({
        formula: slidingStep([height, width][axis], window, axis, false),
        result: outputLength(
          [height, width][axis],
          window.kernel[axis],
          window.stride[axis],
          window.padding[axis],
          window.dilation[axis],
          AXES[axis],
        ),
      }));
      return { shape: [layer.out_channels as number, steps[0].result, steps[1].result], steps };
    }
    case "pool": {
      const [channels, height, width] = asMap(input, kindOf(layer));
      const window = poolWindow(layer);
      const { kernel: kernel_size, ...rest } = window;
      const { outputSize, ceilMode } = checkWindows([height, width], {
        ...rest,
        kernel_size,
        ceil_mode: asFlag(layer.ceil_mode, "ceil_mode"),
      });
      const steps = ([0, 1] as const).map((axis) => ({
        formula: poolingStep([height, width][axis], window, axis, ceilMode, outputSize[axis]),
        result: outputSize[axis],
      }));
      return { shape: [channels, ...outputSize], steps };
    }
    case "transposed":
      return transposedOutput(layer, input);
    case "global_avg_pool":
      return { shape: [asMap(input, kindOf(layer))[0], 1, 1], steps: [] };
    case "flatten":
      return { shape: [product(input)], steps: [] };
    case "linear":
      if (input.length !== 1) {
        throw valueError(
          "",
          `linear needs a row of features, not the shape ${repr(input)}: put a flatten layer first`,
        );
      }
      return { shape: [layer.out_features as number], steps: [] };
    case "batch_norm":
    case "activation":
      return { shape: input, steps: [] };
    case "branches":
      return { shape: joined(layer, input), steps: [] };
  }
}

/** With sizes rounded up, the formula can give one window too many: say that the last one is dropped. */
function poolingStep(
  size: number,
  window: Window,
  axis: 0 | 1,
  ceilMode: boolean,
  result: number,
): string {
  const formula = slidingStep(size, window, axis, ceilMode);
  const room = size + window.padding[axis][0] + window.padding[axis][1];
  const reach = reachOf(window.kernel[axis], window.dilation[axis]);
  const rounded = Math.ceil((room - reach) / window.stride[axis]) + 1;
  return ceilMode && rounded > result ? `${formula} − 1 (it would start in the padding)` : formula;
}

function transposedOutput(layer: TransposedLayer, input: Shape): LayerShape {
  const [channels, ...size] = asMap(input, kindOf(layer));
  divisible(channels, "input channels", layer.groups as number);
  const { kernel, stride, padding, dilation, outputPadding } = transposedSettings(layer);
  const steps = ([0, 1] as const).map((axis): AxisStep => {
    if (outputPadding[axis] >= stride[axis] && outputPadding[axis] >= dilation[axis]) {
      throw valueError(
        "output_padding",
        `\`output_padding\` (${outputPadding[axis]}) in ${AXES[axis]} must be smaller than ` +
          `\`stride\` (${stride[axis]}) or \`dilation\` (${dilation[axis]})`,
      );
    }
    const reach = reachOf(kernel[axis], dilation[axis]);
    const stamped = (size[axis] - 1) * stride[axis] + reach + outputPadding[axis];
    const cut = padding[axis][0] + padding[axis][1];
    if (stamped - cut < 1) {
      throw valueError(
        "padding",
        `\`padding\` ${given(layer.padding)} removes all ${stamped} pixels in ${AXES[axis]}: use ` +
          "less padding",
      );
    }
    const spread = dilation[axis] > 1 ? `${dilation[axis]}·(${kernel[axis]} − 1) + 1` : kernel[axis];
    const extra = outputPadding[axis] ? ` + ${outputPadding[axis]}` : "";
    const formula = `(${size[axis]} − 1)·${stride[axis]} + ${spread}${signed(padding[axis], "−")}${extra}`;
    return { formula, result: stamped - cut };
  });
  return { shape: [layer.out_channels as number, steps[0].result, steps[1].result], steps };
}

function joined(layer: BranchesLayer, input: Shape): Shape {
  const ends = layer.paths.map((path) => {
    const steps = walk(path, input);
    return steps.length ? steps[steps.length - 1].output : input;
  });
  const [first, ...others] = ends;
  const listed = ends.map(repr).join(", ");
  const same = (a: Shape, b: Shape) => a.length === b.length && a.every((n, i) => n === b[i]);
  if (layer.join === "sum") {
    if (!others.every((end) => same(end, first))) {
      throw valueError(
        "paths",
        `\`paths\` end in the shapes ${listed}, but a sum needs equal shapes: give all paths the ` +
          "same stride and number of filters",
      );
    }
    return first;
  }
  if (!others.every((end) => same(end.slice(1), first.slice(1)))) {
    throw valueError(
      "paths",
      `\`paths\` end in the shapes ${listed}: to concatenate them, only the number of channels may ` +
        "differ",
    );
  }
  return [ends.reduce((total, end) => total + end[0], 0), ...first.slice(1)];
}

export interface Step {
  layer: Layer;
  input: Shape;
  output: Shape;
  steps: AxisStep[];
}

/** An error of one layer of a list, with the place of the layer. */
export class LayerError extends CheckError {
  readonly place: number;
  /** The error's own message, without the place. */
  readonly reason: string;

  constructor(place: number, label: string, cause: CheckError) {
    super(cause.kind, cause.argument, `layer ${place} (${label}): ${cause.message}`);
    this.place = place;
    this.reason = cause.message;
  }
}

/** Each layer with its input and output shape. */
export function walk(layers: readonly Layer[], input: Shape): Step[] {
  let shape = asShape(input);
  return layers.map((layer, place) => {
    try {
      const { shape: computed, steps } = outputOf(layer, shape);
      const output = exactShape(computed);
      const step = { layer, input: shape, output, steps };
      shape = output;
      return step;
    } catch (error) {
      if (!(error instanceof CheckError)) throw error;
      throw new LayerError(place, labelOf(layer), error);
    }
  });
}

export function asShape(shape: unknown): Shape {
  if (!Array.isArray(shape) || (shape.length !== 1 && shape.length !== 3)) {
    throw valueError(
      "input_shape",
      `\`input_shape\` ${given(shape)} must be (channels, rows, columns) or (features,)`,
    );
  }
  return shape.map((size) => asInt(size, "input_shape", 1));
}

/** The number of weights that meet one output cell. */
function tapsOf(layer: ConvLayer, input: Shape): number {
  return (input[0] / (layer.groups as number)) * product(convWindow(layer).kernel);
}

export interface LayerCost {
  label: string;
  layer: Layer;
  input: Shape;
  output: Shape;
  steps: AxisStep[];
  parameters: number;
  macs: number;
  other_ops: number;
  activation_bytes: number;
  /** The layers inside a block, path by path. */
  parts: LayerCost[];
}

/** What is counted for each layer, in the words of a message. */
export const COUNTS = {
  parameters: "the number of parameters",
  macs: "the number of multiply-adds",
  other_ops: "the number of other operations",
  activation_bytes: "the output in bytes",
} as const;

/** What each layer of a network costs for one image, float32 activations. */
export function cost(layers: readonly Layer[], input: Shape, bytesPerNumber = 4): LayerCost[] {
  return walk(layers, input).map((step) => {
    const { layer, output } = step;
    const counted = (value: number, key: keyof typeof COUNTS): number =>
      exact(value + inside(key), COUNTS[key], "input_shape");
    const parts =
      layer.kind === "branches"
        ? layer.paths.flatMap((path) => cost(path, step.input, bytesPerNumber))
        : [];
    const own = layer.kind === "flatten" ? 0 : product(output) * bytesPerNumber;
    const inside = (key: keyof typeof COUNTS) =>
      parts.reduce((total, part) => total + part[key], 0);
    return {
      ...step,
      label: labelOf(layer),
      parameters: counted(parametersOf(layer, step.input), "parameters"),
      macs: counted(macsOf(layer, step.input, output), "macs"),
      other_ops: counted(otherOpsOf(layer, step.input, output), "other_ops"),
      activation_bytes: counted(own, "activation_bytes"),
      parts,
    };
  });
}

/** Trained numbers, without those inside a block. */
function parametersOf(layer: Layer, input: Shape): number {
  switch (layer.kind) {
    case "conv":
      return (layer.out_channels as number) * (tapsOf(layer, input) + Number(layer.bias));
    case "transposed":
      return (
        stampOf(layer) * input[0] + (layer.bias ? (layer.out_channels as number) : 0)
      );
    case "linear":
      return (layer.out_features as number) * (input[0] + Number(layer.bias));
    case "batch_norm":
      return 2 * input[0];
    default:
      return 0;
  }
}

/** Multiply-adds of weights with inputs. */
function macsOf(layer: Layer, input: Shape, output: Shape): number {
  switch (layer.kind) {
    case "conv":
      return product(output) * tapsOf(layer, input);
    case "transposed":
      return product(input) * stampOf(layer);
    case "linear":
      return (layer.out_features as number) * input[0];
    default:
      return 0;
  }
}

/** How many output cells one input cell adds to, before padding removes any. */
const stampOf = (layer: TransposedLayer): number =>
  ((layer.out_channels as number) / (layer.groups as number)) *
  product(transposedSettings(layer).kernel);

/** Operations other than multiply-adds, one per element. */
function otherOpsOf(layer: Layer, input: Shape, output: Shape): number {
  switch (layer.kind) {
    case "conv":
    case "transposed":
      return layer.bias ? product(output) : 0;
    case "linear":
      return layer.bias ? (layer.out_features as number) : 0;
    case "pool":
      return product(output) * product(poolWindow(layer).kernel);
    case "global_avg_pool":
    case "activation":
      return product(input);
    case "batch_norm":
      return 2 * product(input);
    case "branches":
      return layer.join === "sum" ? (layer.paths.length - 1) * product(output) : 0;
    case "flatten":
      return 0;
  }
}
