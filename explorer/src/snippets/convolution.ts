// The current settings of the convolution explorer as code.

import type { Convolution } from "../arithmetic/convolution.ts";
import type { ConvolutionState } from "../state/convolution.ts";
import { callOf, literal, pair, paddingOf, torchPad } from "./python.ts";

function settings(state: ConvolutionState, bias: string, padding: string): string[] {
  return [
    ...(state.bias ? [`bias=${bias}`] : []),
    ...(state.stride.every((n) => n === 1) ? [] : [`stride=${pair(state.stride)}`]),
    ...(padding === "0" ? [] : [`padding=${padding}`]),
    ...(state.dilation.every((n) => n === 1) ? [] : [`dilation=${pair(state.dilation)}`]),
    ...(state.groups === 1 ? [] : [`groups=${state.groups}`]),
  ];
}

export function convolutionAsCnnref(state: ConvolutionState): string {
  const mode = state.mode === "constant" ? [] : [`padding_mode="${state.mode}"`];
  const given = settings(state, literal(state.bias ?? []), paddingOf(state.padding));
  return [
    "import numpy as np",
    "from cnnref import worked",
    "",
    `x = np.array(${literal(state.input, "             ")})`,
    `w = np.array(${literal(state.weight, "             ")})`,
    `solution = ${callOf("worked.convolution", ["x", "w", ...given, ...mode])}`,
    "print(solution)",
  ].join("\n");
}

/** torch's conv2d knows zeros and one number an axis; any other padding is put on before. */
export function convolutionAsTorch(state: ConvolutionState, { padding }: Convolution): string {
  const framed = state.mode !== "constant" || padding.some(([before, after]) => before !== after);
  const tensor = (values: Parameters<typeof literal>[0]) =>
    `torch.tensor(${literal(values, "                 ")}, dtype=torch.float64)`;
  const mode = state.mode === "constant" ? "" : `, mode="${state.mode}"`;
  const given = framed ? "0" : pair([padding[0][0], padding[1][0]]);
  return [
    "import torch",
    "import torch.nn.functional as F",
    "",
    `x = ${tensor(state.input)}`,
    `w = ${tensor(state.weight)}`,
    ...(state.bias ? [`b = ${tensor(state.bias)}`] : []),
    ...(framed ? [`x = F.pad(x, ${torchPad(padding)}${mode})`] : []),
    `y = ${callOf("F.conv2d", ["x", "w", ...settings(state, "b", given)])}`,
    "print(y)",
  ].join("\n");
}
