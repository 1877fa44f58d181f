// Where the windows of a pooling are; cnnref/ops/_windows.py and output_shape.py.

import { range } from "./arrays.ts";
import { asFlag, asPadding, asPair, AXES, outputLength, reachOf } from "./checks.ts";
import type { Pair, Sides } from "./checks.ts";
import { given, valueError } from "./errors.ts";

export interface WindowSettings {
  kernel_size: unknown;
  /** null is the kernel's size. */
  stride: unknown;
  padding: unknown;
  dilation: unknown;
  ceil_mode: unknown;
}

export interface Windows {
  inputSize: Pair;
  kernel: Pair;
  stride: Pair;
  padding: Sides;
  dilation: Pair;
  outputSize: Pair;
  ceilMode: boolean;
}

/** The number of windows along an axis; with rounding up, the last one may extend past the end. */
export function windowCount(
  size: number,
  kernel: number,
  stride: number,
  padding: Pair,
  dilation: number,
  ceilMode: boolean,
  axis: string,
): number {
  const padded = size + padding[0] + padding[1];
  const reach = reachOf(kernel, dilation);
  // Too large by less than a step: rounded up to one window, as in PyTorch.
  if (ceilMode && padded < reach && reach < padded + stride) return 1;
  const length = outputLength(size, kernel, stride, padding, dilation, axis);
  // The window that rounding up adds counts only if it starts before the padding at the end.
  const added = ceilMode && (padded - reach) % stride !== 0 && length * stride < size + padding[0];
  return added ? length + 1 : length;
}

export function checkWindows(inputSize: Pair, settings: WindowSettings): Windows {
  const kernel = asPair(settings.kernel_size, "kernel_size", 1);
  const stride = settings.stride === null ? kernel : asPair(settings.stride, "stride", 1);
  const dilation = asPair(settings.dilation, "dilation", 1);
  const padding = asPadding(settings.padding, kernel, stride, dilation);
  const ceilMode = asFlag(settings.ceil_mode, "ceil_mode");
  checkHalf(kernel, padding, settings);
  const lengths = ([0, 1] as const).map((axis) =>
    windowCount(
      inputSize[axis],
      kernel[axis],
      stride[axis],
      padding[axis],
      dilation[axis],
      ceilMode,
      AXES[axis],
    ),
  );
  const outputSize: Pair = [lengths[0], lengths[1]];
  const windows = { inputSize, kernel, stride, padding, dilation, outputSize, ceilMode };
  for (const axis of [0, 1] as const) {
    const padded = padding[axis][0] > 0 || padding[axis][1] > 0;
    if (dilation[axis] > 1 && padded && readsNothing(windows, axis)) {
      throw valueError(
        "dilation",
        `\`dilation\` ${given(settings.dilation)} lets a window skip all ${inputSize[axis]} pixels ` +
          `in ${AXES[axis]} and read only padding: use a smaller dilation`,
      );
    }
  }
  return windows;
}

/** Refuse more padding than half a window, where a window could lie on padding only. */
export function checkHalf(
  kernel: Pair,
  padding: Sides,
  settings: { padding: unknown; kernel_size: unknown },
): void {
  for (const axis of [0, 1] as const) {
    if (Math.max(...padding[axis]) > Math.floor(kernel[axis] / 2)) {
      throw valueError(
        "padding",
        `\`padding\` ${given(settings.padding)} must be at most half of \`kernel_size\` ` +
          given(settings.kernel_size),
      );
    }
  }
}

/** Where a window starts along an axis, in pixels of the image; negative in the padding. */
export const startOf = (windows: Windows, axis: 0 | 1, window: number): number =>
  window * windows.stride[axis] - windows.padding[axis][0];

/**
 * A window that starts on the image reads its first pixel there. One that starts in the padding can
 * step over the image only if its step is longer than the image, and then the padding is at most one
 * pixel: `checkHalf` and the window's reach leave no room for more.
 */
function readsNothing(windows: Windows, axis: 0 | 1): boolean {
  const [size, dilation] = [windows.inputSize[axis], windows.dilation[axis]];
  if (dilation <= size) return false;
  const inPadding = Math.ceil(windows.padding[axis][0] / windows.stride[axis]);
  return range(Math.min(windows.outputSize[axis], inPadding)).some((window) => {
    const first = startOf(windows, axis, window);
    return first + dilation * Math.ceil(-first / dilation) >= size;
  });
}
