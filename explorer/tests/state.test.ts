// Links: what is written can be read again, and nothing else can. Undo is a value.

import assert from "node:assert/strict";
import { test } from "node:test";

import { LinkError } from "../src/state/codec.ts";
import { convolutionCodec } from "../src/state/convolution.ts";
import { CONVOLUTION_PRESETS } from "../src/state/convolution_presets.ts";
import { begin, push, redo, replace, undo } from "../src/state/history.ts";
import { open, write } from "../src/state/link.ts";
import type { Codec } from "../src/state/link.ts";
import { poolingCodec } from "../src/state/pooling.ts";
import { POOLING_PRESETS } from "../src/state/pooling_presets.ts";
import { layerOf, parseStack, stackCodec, writeStack } from "../src/state/stack.ts";
import { STACK_PRESETS } from "../src/state/stack_presets.ts";

const UNESCAPED = /^[A-Za-z0-9_.~*-]+$/;

function roundTrip<State>(codec: Codec<State>, state: State): void {
  const link = codec.encode(state);
  assert.match(link, UNESCAPED);
  assert.deepEqual(codec.decode(link), state);
  assert.deepEqual(open(codec, write(codec, state, "?q=1&convolution=old&pooling=old&shapes=old") ?? ""), {
    state,
    message: null,
  });
}

test("every example survives its link", () => {
  for (const { state } of Object.values(CONVOLUTION_PRESETS)) roundTrip(convolutionCodec, state);
  for (const { state } of Object.values(POOLING_PRESETS)) roundTrip(poolingCodec, state);
  for (const { text } of Object.values(STACK_PRESETS)) roundTrip(stackCodec, parseStack(text));
});

test("every setting survives its link", () => {
  const state = CONVOLUTION_PRESETS["random"].state;
  roundTrip(convolutionCodec, {
    ...state,
    bias: [-1.25, 0],
    stride: [2, 1],
    padding: [
      [0, 1],
      [2, 3],
    ],
    mode: "reflect",
    dilation: [1, 3],
    groups: 2,
    cell: [1, 2, 0],
  });
  roundTrip(convolutionCodec, { ...state, padding: "same", stride: [0, -1] });
  roundTrip(poolingCodec, {
    ...POOLING_PRESETS["average"].state,
    padding: [0, 1],
    stride: [1, 2],
    ceilMode: true,
    countIncludePad: false,
    divisorOverride: 3,
    cell: [0, 1, 1],
  });
});

test("another parameter of the address stays as it is", () => {
  const { state } = CONVOLUTION_PRESETS["question-1"];
  assert.match(write(convolutionCodec, state, "?h=x%20y&convolution=old") ?? "", /^\?h=x%20y&convolution=x3/);
});

test("a state too large for a link has none", () => {
  const input = [Array.from({ length: 32 }, (_, i) => Array.from({ length: 32 }, (_, j) => i * 1000 + j * 7))];
  const large = { ...CONVOLUTION_PRESETS["edge"].state, input: [input[0], input[0], input[0]] };
  assert.equal(write(convolutionCodec, large, ""), null);
});

const HOSTILE = [
  "",
  "x",
  "~",
  "x3x4x4_1*48",
  "x1x1x1_1",
  "x1x1x1_1~w1.1x1x1_1~x1x1x1_1",
  "x1x1x1_1~w1.1x1x1_1~zz",
  "x1x1x1_1~w1.1x1x1_1~mjavascript",
  "x1x1x1_1~w1.1x1x1_1~s1e9",
  "x1x1x1_1~w1.1x1x1_1~c0x0",
  "x1x1x1_1~w1.1x1x1_1~c-1x0x0",
  "x1x1x1_NaN~w1.1x1x1_1",
  "x1x1x1_Infinity~w1.1x1x1_1",
  "x1x1x1_0x10~w1.1x1x1_1",
  "x1x1x1_1*1e9~w1.1x1x1_1",
  "x8x32x32_1*99999~w1.1x1x1_1",
  "x9x1x1_1*9~w1.1x1x1_1",
  "x1x33x1_1*33~w1.1x1x1_1",
  "x1x1x1_1~w9.1x1x1_1*9",
  "x1x1x1_1~w1.1x12x1_1*12",
  "x1x1x1_1~w1.1x1x1",
  "x-1x1x1_1~w1.1x1x1_1",
  "x1x1x1_12345678~w1.1x1x1_1",
  "x1x1x1_<script>alert(1)</script>~w1.1x1x1_1",
  "%3Cscript%3E",
  "x1x1x1_1~w1.1x1x1_1~b1_2",
  "x1x1x1_1~w1.1x1x1_1~p1x2x3",
  "constructor",
  "__proto__",
];

test("a hostile link is refused, whatever it says", () => {
  for (const link of HOSTILE) {
    assert.throws(() => convolutionCodec.decode(link), LinkError, link);
    assert.throws(() => poolingCodec.decode(link), LinkError, link);
    assert.throws(() => stackCodec.decode(link), LinkError, link);
    const opened = open(convolutionCodec, `?convolution=${link}`);
    assert.equal(opened.state, null);
    assert.match(opened.message ?? "", /^This link cannot be used/);
    // Nothing of the link is in the message.
    assert.doesNotMatch(opened.message ?? "", /script|proto|constructor|999/);
  }
  assert.equal(open(convolutionCodec, `?convolution=${"x".repeat(200_000)}`).state, null);
});

test("a stack is read, and written as it was read", () => {
  const text = "input 3x32x32\nconv 8 3x5 stride 2 padding 0x1x2x3 nobias\nmaxpool 2 ceil\nflatten\nlinear 10";
  assert.equal(writeStack(parseStack(`\n ${text.replaceAll(" ", "   ")}\n\n`)), text);
  assert.deepEqual(layerOf(parseStack(text).rows[0]), {
    kind: "conv",
    out_channels: 8,
    kernel_size: [3, 5],
    stride: 2,
    padding: [
      [0, 1],
      [2, 3],
    ],
    dilation: 1,
    groups: 1,
    bias: false,
  });
});

test("a text that is not a stack names its line", () => {
  for (const [text, words] of [
    ["conv 3 3", /^line 1: begin with the shape of the input/],
    ["input 3x4", /^line 1: begin with the shape of the input/],
    ["input 3x4x4\n\ncnov 3 3", /^line 3: there is no such layer; use one of conv,/],
    ["input 3x4x4\nconv 3", /^line 2: conv needs numbers of at most 6 digits for filters, kernel/],
    ["input 3x4x4\nconv 3 3 stride", /^line 2: stride needs a number/],
    ["input 3x4x4\nconv 3 3 stride 1 stride 2", /^line 2: after its numbers, conv takes each of/],
    ["input 3x4x4\nrelu 3", /^line 2: relu takes no further settings/],
    ["input 3x4x4\ntoString", /^line 2: there is no such layer/],
    [`input 3x4x4${"\nrelu".repeat(81)}`, /^line 82: the explorer takes at most 80 layers/],
  ] as const) {
    assert.throws(() => parseStack(text), { message: words });
  }
});

test("undo and redo", () => {
  let history = push(push(begin(1), 2), 3);
  history = undo(undo(undo(history)));
  assert.equal(history.present, 1);
  assert.equal(redo(history).present, 2);
  assert.deepEqual(push(redo(history), 9).future, []);
  // A step is not undone, but what came before it is.
  assert.equal(undo(replace(push(begin(1), 2), 7)).present, 1);
  assert.equal(redo(redo(redo(history))).present, 3);
});
