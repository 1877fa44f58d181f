// Renders formulas with KaTeX: reads a JSON list of them from stdin, writes a JSON list of answers.
import { readFileSync } from "node:fs";
import katex from "katex";

const answers = JSON.parse(readFileSync(0, "utf-8")).map(({ tex, display }) => {
  try {
    return {
      html: katex.renderToString(tex, {
        displayMode: display,
        output: "htmlAndMathml",
        strict: "error",
        throwOnError: true,
      }),
    };
  } catch (error) {
    return { error: error.message };
  }
});
process.stdout.write(JSON.stringify(answers));
