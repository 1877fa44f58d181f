// What a cell deep in a network sees of the image; cnnref/networks/receptive_field.py.

import { exact } from "./budget.ts";
import type { Pair } from "./checks.ts";
import { valueError } from "./errors.ts";
import { labelOf, scatterOf, windowOf } from "./layers.ts";
import type { BranchesLayer, Layer, Window } from "./layers.ts";

/** The first and the last pixel that a cell reads; null for a cell that reads nothing. */
type Span = readonly [number, number] | null;

/** What the cells along one axis read: a period of spans, and their move from period to period. */
interface Axis {
  spans: readonly Span[];
  step: number;
}

/** As (height, width), in pixels of the input. */
export interface ReceptiveField {
  /** The largest field of a cell. */
  size: Pair;
  /** The smallest one, which differs only behind a layer that enlarges the map. */
  smallest: Pair;
  /** The distance between the fields of two neighboring cells. */
  jump: Pair;
  /** The first pixel that the first cell reads; negative in the padding. */
  first: Pair;
}

type Axes = readonly [Axis, Axis];

const perAxis = (of: (place: 0 | 1) => Axis): Axes => [of(0), of(1)];

const PIXEL: Axis = { spans: [[0, 0]], step: 1 };
const LONGEST_PERIOD = 4096;

/** The field after each layer, up to the first layer that reads the whole map. */
export function* receptiveFields(layers: readonly Layer[]): Generator<ReceptiveField> {
  let axes: Axes = [PIXEL, PIXEL];
  for (const layer of layers) {
    if (endOf(layer)) return;
    axes = after(axes, layer);
    yield {
      size: both(axes, largest),
      smallest: both(axes, least),
      jump: jumps(axes),
      first: both(axes, first),
    };
  }
}

/** Why the cells of a layer have no fields of their own; empty if they have. */
export function endOf(layer: Layer): string {
  if (layer.kind === "branches") {
    const reason = layer.paths.flat().map(endOf).find(Boolean);
    return reason ? `${labelOf(layer)}: ${reason}` : "";
  }
  if (layer.kind === "transposed" || windowOf(layer) !== null) return "";
  return `${labelOf(layer)} reads the whole map, so its receptive field is the image`;
}

const both = (axes: Axes, of: (axis: Axis) => number): Pair => [
  exact(of(axes[0]), "the receptive field", "layers"),
  exact(of(axes[1]), "the receptive field", "layers"),
];
const sizes = (axis: Axis) => axis.spans.map((span) => (span ? span[1] - span[0] + 1 : 0));
const largest = (axis: Axis) => Math.max(...sizes(axis));
const least = (axis: Axis) => Math.min(...sizes(axis));
const first = (axis: Axis) => axis.spans[0]?.[0] ?? 0;
const jumps = (axes: Axes): Pair => both(axes, (axis) => axis.step / axis.spans.length);

function spanAt(axis: Axis, cell: number): Span {
  const period = Math.floor(cell / axis.spans.length);
  const span = axis.spans[cell - period * axis.spans.length];
  return span && [span[0] + period * axis.step, span[1] + period * axis.step];
}

function after(axes: Axes, layer: Layer): Axes {
  if (layer.kind === "branches") return join(axes, layer);
  if (layer.kind === "transposed") {
    const stamp = scatterOf(layer);
    return perAxis((place) => scattered(axes[place], stamp, place, labelOf(layer)));
  }
  // The fields end before any other layer without a window.
  const window = windowOf(layer) as Window;
  return perAxis((place) => gathered(axes[place], window, place));
}

/** What the cells of a convolution or pooling read: cell o from o·s − p on. */
function gathered(axis: Axis, window: Window, place: 0 | 1): Axis {
  const [kernel, stride, dilation, padding] = along(window, place);
  const period = axis.spans.length;
  const cells = period / gcd(period, stride);
  // Whatever the place of a tap in the period, the first or last tap there reaches furthest.
  const taps = outer(0, kernel, 1, period);
  const spans = range(cells).map((cell) =>
    union(taps.map((tap) => spanAt(axis, cell * stride - padding + tap * dilation))),
  );
  return shortest(spans, (axis.step * stride * cells) / period);
}

/** What the cells of a transposed convolution read: o = i·s + u·d − p for a tap u. */
function scattered(axis: Axis, stamp: Window, place: 0 | 1, label: string): Axis {
  const [kernel, stride, dilation, padding] = along(stamp, place);
  const cells = allowed(axis.spans.length * stride, label);
  const every = stride / gcd(stride, dilation); // from one tap that fits to the next
  const spans = range(cells).map((cell) => {
    const source = (tap: number) => (cell + padding - tap * dilation) / stride;
    const start = range(every).find((tap) => Number.isInteger(source(tap))) ?? kernel;
    const taps = outer(start, kernel, every, axis.spans.length);
    return union(taps.map((tap) => spanAt(axis, source(tap))));
  });
  return shortest(spans, axis.step);
}

/** Where paths join, a cell reads from the first pixel of any path to the last pixel of any path. */
function join(axes: Axes, block: BranchesLayer): Axes {
  const ends = block.paths.map((path) => path.reduce(after, axes));
  const [jump] = ends.map(jumps);
  if (ends.some((end) => jumps(end)[0] !== jump[0] || jumps(end)[1] !== jump[1])) {
    const found = ends.map((end) => pairText(jumps(end))).join(", ");
    throw valueError(
      "paths",
      `\`paths\` of ${labelOf(block)} end with the jumps ${found}, but the jumps must be equal for ` +
        "their fields to be joined",
    );
  }
  return perAxis((place) => {
    const paths = ends.map((end) => end[place]);
    const periods = paths.map((path) => path.spans.length);
    const cells = allowed(periods.reduce((a, b) => (a * b) / gcd(a, b)), labelOf(block));
    const spans = range(cells).map((cell) => union(paths.map((path) => spanAt(path, cell))));
    return shortest(spans, (paths[0].step * cells) / periods[0]);
  });
}

function along(window: Window, place: 0 | 1): [number, number, number, number] {
  const { kernel, stride, dilation, padding } = window;
  return [kernel[place], stride[place], dilation[place], padding[place][0]];
}

const range = (count: number): number[] => Array.from({ length: count }, (_, place) => place);

/** The first and the last taps from a start on, as many of each as given. */
function outer(start: number, end: number, every: number, most: number): number[] {
  const count = Math.max(Math.ceil((end - start) / every), 0);
  const places = count <= 2 * most ? range(count) : range(2 * most);
  return places.map((place) => {
    const isLast = count > 2 * most && place >= most;
    return start + every * (isLast ? count - 2 * most + place : place);
  });
}

function union(spans: readonly Span[]): Span {
  const found = spans.filter((span) => span !== null);
  if (!found.length) return null;
  return [Math.min(...found.map((span) => span[0])), Math.max(...found.map((span) => span[1]))];
}

/** The axis with the shortest period. */
function shortest(spans: readonly Span[], step: number): Axis {
  const whole: Axis = { spans, step: exact(step, "the receptive field", "layers") };
  for (let period = 1; period < spans.length; period += 1) {
    if (spans.length % period || (step * period) % spans.length) continue;
    const short = { spans: spans.slice(0, period), step: (step * period) / spans.length };
    if (spans.every((span, cell) => same(span, spanAt(short, cell)))) return short;
  }
  return whole;
}

const same = (a: Span, b: Span): boolean => a?.[0] === b?.[0] && a?.[1] === b?.[1];

function allowed(cells: number, label: string): number {
  if (cells <= LONGEST_PERIOD) return cells;
  throw valueError(
    "layers",
    `\`layers\` enlarge the map too much: the receptive fields of ${label} repeat only after ${cells} ` +
      `cells, which must be at most ${LONGEST_PERIOD}`,
  );
}

const gcd = (a: number, b: number): number => (b ? gcd(b, a % b) : a);

/** Write a (height, width) pair, as one number where both are equal. */
export const pairText = ([height, width]: Pair): string =>
  height === width ? String(height) : `${height} × ${width}`;

/** Write the size of a field, as a range where cells differ. */
export function sizeText({ size, smallest }: ReceptiveField): string {
  const [height, width] = size.map((most, place) =>
    smallest[place] < most ? `${smallest[place]}–${most}` : String(most),
  );
  return height === width ? height : `${height} × ${width}`;
}
