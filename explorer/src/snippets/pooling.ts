// The current settings of the pooling explorer as code.

import type { Pooling } from "../arithmetic/pooling.ts";
import type { PoolingState } from "../state/pooling.ts";
import { callOf, literal, pair, paddingOf, torchPad } from "./python.ts";

const isOne = (values: readonly number[]): boolean => values.every((value) => value === 1);

function settings(state: PoolingState, padding: string): string[] {
  const shared = [
    `kernel_size=${pair(state.kernel)}`,
    ...(state.stride ? [`stride=${pair(state.stride)}`] : []),
    ...(padding === "0" ? [] : [`padding=${padding}`]),
    ...(state.ceilMode ? ["ceil_mode=True"] : []),
  ];
  if (state.mode === "max") {
    return [...shared, ...(isOne(state.dilation) ? [] : [`dilation=${pair(state.dilation)}`])];
  }
  return [
    ...shared,
    ...(state.countIncludePad ? [] : ["count_include_pad=False"]),
    ...(state.divisorOverride === null ? [] : [`divisor_override=${state.divisorOverride}`]),
  ];
}

export function poolingAsCnnref(state: PoolingState): string {
  const dtype = state.mode === "avg" ? ", dtype=float" : "";
  return [
    "import numpy as np",
    "from cnnref import worked",
    "",
    `x = np.array(${literal(state.input, "             ")}${dtype})`,
    `solution = ${callOf(`worked.${state.mode}_pool2d`, ["x", ...settings(state, paddingOf(state.padding))])}`,
    "print(solution)",
  ].join("\n");
}

/** torch's pooling takes one number of padding an axis; null where it has no way to say it. */
export function poolingAsTorch(state: PoolingState, { windows }: Pooling): string | null {
  const { padding } = windows;
  const uneven = padding.some(([before, after]) => before !== after);
  // Put on before, padding would count, and a window rounded up would end elsewhere.
  if (uneven && (state.mode === "avg" || state.ceilMode)) return null;
  const framed = uneven ? [`x = F.pad(x, ${torchPad(padding)}, value=-torch.inf)`] : [];
  const given = uneven ? "0" : pair([padding[0][0], padding[1][0]]);
  return [
    "import torch",
    "import torch.nn.functional as F",
    "",
    `x = torch.tensor(${literal(state.input, "                 ")}, dtype=torch.float64)`,
    ...framed,
    `y = ${callOf(`F.${state.mode}_pool2d`, ["x", ...settings(state, given)])}`,
    "print(y)",
  ].join("\n");
}
