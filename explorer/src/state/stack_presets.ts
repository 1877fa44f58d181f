// Networks of the literature as stacks; the settings are those of cnnref.networks where it has them.

const lines = (...rows: string[]): string => rows.join("\n");

const vggBlock = (filters: number, convolutions: number): string[] => [
  ...Array.from({ length: convolutions }, () => [`conv ${filters} 3 padding 1`, "relu"]).flat(),
  "maxpool 2",
];

const classifier = (activation: string, ...widths: number[]): string[] => [
  "flatten",
  ...widths.map((width) => `linear ${width}`).join(`\n${activation}\n`).split("\n"),
];

/** Two basic blocks; the first halves the map and doubles the filters, if asked. */
const stage = (filters: number, halve: boolean): string[] => [
  halve ? `residual ${filters} stride 2 project` : `residual ${filters}`,
  "relu",
  `residual ${filters}`,
  "relu",
];

export const STACK_PRESETS: Readonly<Record<string, { title: string; text: string }>> = {
  small: {
    title: "A small network",
    text: lines("input 3x32x32", "conv 16 3 padding 1", "relu", "maxpool 2", "flatten", "linear 10"),
  },
  "question-8": { title: "Question 8", text: lines("input 32x128x128", "conv 16 3 stride 2") },
  lenet5: {
    title: "LeNet-5",
    text: lines(
      "input 1x32x32",
      "conv 6 5",
      "tanh",
      "avgpool 2",
      "conv 16 5",
      "tanh",
      "avgpool 2",
      ...classifier("tanh", 120, 84, 10),
    ),
  },
  alexnet: {
    title: "AlexNet",
    text: lines(
      "input 3x224x224",
      "conv 64 11 stride 4 padding 2",
      "relu",
      "maxpool 3 stride 2",
      "conv 192 5 padding 2",
      "relu",
      "maxpool 3 stride 2",
      "conv 384 3 padding 1",
      "relu",
      "conv 256 3 padding 1",
      "relu",
      "conv 256 3 padding 1",
      "relu",
      "maxpool 3 stride 2",
      ...classifier("relu", 4096, 4096, 1000),
    ),
  },
  vgg16: {
    title: "VGG-16",
    text: lines(
      "input 3x224x224",
      ...vggBlock(64, 2),
      ...vggBlock(128, 2),
      ...vggBlock(256, 3),
      ...vggBlock(512, 3),
      ...vggBlock(512, 3),
      ...classifier("relu", 4096, 4096, 1000),
    ),
  },
  resnet18: {
    title: "ResNet-18",
    text: lines(
      "input 3x224x224",
      "conv 64 7 stride 2 padding 3 nobias",
      "batchnorm",
      "relu",
      "maxpool 3 stride 2 padding 1",
      ...stage(64, false),
      ...stage(128, true),
      ...stage(256, true),
      ...stage(512, true),
      "globalavgpool",
      "flatten",
      "linear 1000",
    ),
  },
  googlenet: {
    title: "GoogLeNet's stem and first block",
    text: lines(
      "input 3x224x224",
      "conv 64 7 stride 2 padding 3",
      "relu",
      "maxpool 3 stride 2 ceil",
      "conv 64 1",
      "relu",
      "conv 192 3 padding 1",
      "relu",
      "maxpool 3 stride 2 ceil",
      "inception 64 96 128 16 32 32",
    ),
  },
  decoder: {
    title: "Down and up again (transposed)",
    text: lines(
      "input 3x64x64",
      "conv 32 3 stride 2 padding 1",
      "relu",
      "conv 64 3 stride 2 padding 1",
      "relu",
      "transposed 32 3 stride 2 padding 1 extra 1",
      "relu",
      "transposed 3 3 stride 2 padding 1 extra 1",
    ),
  },
};
