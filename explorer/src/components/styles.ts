// The look of all explorers: the colours of the site's style sheet, in both palettes.

import { css } from "lit";

export const styles = css`
  :host {
    display: block;
    margin: 1.4em 0;
    padding: 0.9em 1em 1.1em;
    border: 1px solid var(--cnnref-rule);
    border-radius: 4px;
    background: var(--cnnref-panel);
    color: var(--md-default-fg-color);
    font-size: 0.7rem;
    line-height: 1.5;
  }
  *,
  *::before {
    box-sizing: border-box;
  }
  h3,
  h4 {
    margin: 1.1em 0 0.4em;
    font-size: 1em;
    font-weight: 640;
  }
  h3 {
    margin-top: 0;
    font-size: 1.1em;
  }
  p {
    margin: 0.5em 0;
  }

  /* Controls. All are 24 px high at least. */
  .bar {
    display: flex;
    flex-wrap: wrap;
    align-items: end;
    gap: 0.5em 0.6em;
  }
  button,
  select,
  input,
  textarea,
  summary {
    font: inherit;
    color: inherit;
  }
  button,
  select,
  input,
  textarea {
    min-height: 30px;
    border: 1px solid var(--md-default-fg-color--light);
    border-radius: 4px;
    background: var(--md-default-bg-color);
  }
  button {
    min-width: 30px;
    padding: 0.1em 0.7em;
    cursor: pointer;
  }
  button:hover:not([disabled]) {
    border-color: var(--md-accent-fg-color);
    color: var(--md-accent-fg-color);
  }
  button[aria-disabled="true"] {
    color: var(--cnnref-muted);
    border-style: dashed;
    cursor: default;
  }
  select {
    max-width: 100%;
    padding: 0 0.3em;
  }
  input[type="number"],
  input[type="text"] {
    width: 4.6em;
    padding: 0 0.4em;
  }
  input[type="checkbox"] {
    width: 24px;
    min-height: 24px;
    margin: 0;
    accent-color: var(--md-accent-fg-color);
  }
  :is(button, select, input, textarea, summary, [tabindex]):focus-visible {
    outline: 2px solid var(--md-accent-fg-color);
    outline-offset: 2px;
  }
  label {
    display: inline-flex;
    flex-direction: column;
    gap: 0.1em;
  }
  label.inline {
    flex-direction: row;
    align-items: center;
    gap: 0.4em;
    min-height: 30px;
  }
  fieldset {
    display: inline-flex;
    flex-wrap: wrap;
    align-items: end;
    align-content: start;
    gap: 0.3em 0.5em;
    min-width: 0;
    margin: 0;
    padding: 0.2em 0.6em 0.5em;
    border: 1px solid var(--cnnref-rule);
    border-radius: 4px;
  }
  legend {
    padding: 0 0.3em;
    font-weight: 600;
  }
  .settings {
    display: flex;
    flex-wrap: wrap;
    gap: 0.6em;
    margin: 0.8em 0;
  }
  [aria-invalid="true"] {
    border: 2px solid var(--cnnref-window);
  }
  .error {
    flex-basis: 100%;
    max-width: 36em;
    margin: 0.2em 0 0;
    color: var(--cnnref-window);
    font-weight: 600;
    overflow-wrap: anywhere;
  }
  .notice {
    padding: 0.4em 0.7em;
    border-left: 4px solid var(--cnnref-window);
    background: var(--md-default-bg-color);
  }
  .hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }

  /* Grids and matrices of numbers. */
  .scroll {
    max-width: 100%;
    overflow-x: auto;
    /* Room for the outline of the cell that has the focus. */
    padding: 4px;
  }
  table {
    border-collapse: collapse;
    font-variant-numeric: tabular-nums;
    line-height: 1.2;
  }
  .cells td {
    position: relative;
    min-width: 30px;
    height: 28px;
    padding: 0 0.35em;
    border: 1px solid var(--cnnref-grid);
    text-align: center;
    white-space: nowrap;
  }
  .cells td:focus-visible {
    outline: 3px solid var(--md-accent-fg-color);
    outline-offset: -1px;
    z-index: 2;
  }
  .cells .input {
    background: var(--cnnref-input);
  }
  .cells .filter {
    background: var(--cnnref-filter);
  }
  .cells .output {
    background: var(--cnnref-output);
  }
  .cells .pad {
    background: var(--cnnref-pad);
    border-style: dashed;
    font-style: italic;
  }
  /* A cut corner says without colour that nothing reads the cell. */
  .cells .unread::before {
    content: "";
    position: absolute;
    inset: 0 0 auto auto;
    border: 5px solid transparent;
    border-top-color: var(--cnnref-window);
    border-right-color: var(--cnnref-window);
  }
  .cells .unread:not(.pad) {
    background: var(--cnnref-unread);
  }
  .cells .window {
    box-shadow: inset 0 0 0 1px var(--cnnref-window);
  }
  .cells .tap {
    background: var(--cnnref-window-fill);
    box-shadow: inset 0 0 0 2px var(--cnnref-window);
  }
  .cells .reader {
    background: var(--cnnref-window-fill);
    text-decoration: underline 2px var(--cnnref-window);
    text-underline-offset: 3px;
  }
  .cells .current {
    box-shadow: inset 0 0 0 3px var(--cnnref-window);
    font-weight: 700;
  }
  .cells .winner {
    background: var(--cnnref-window-fill);
    box-shadow: inset 0 0 0 3px var(--cnnref-window);
    font-weight: 700;
  }
  .cells .tie {
    text-decoration: underline double var(--cnnref-window);
    text-underline-offset: 3px;
  }
  .cells td > input {
    position: absolute;
    inset: 0;
    width: 100%;
    min-width: 3.4em;
    height: 100%;
    min-height: 0;
    padding: 0 0.2em;
    border: 2px solid var(--md-accent-fg-color);
    border-radius: 0;
    text-align: center;
    z-index: 3;
  }
  .matrix td {
    min-width: 1.6em;
    padding: 0.15em 0.35em;
    text-align: right;
  }
  .matrix {
    border: solid var(--md-default-fg-color--light);
    border-width: 0 2px;
    border-radius: 4px;
  }
  .matrix .pad {
    color: var(--cnnref-muted);
    font-style: italic;
    text-decoration: underline;
  }
  .channel {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.4em 0.7em;
    padding: 0.5em 0;
    border-top: 1px solid var(--cnnref-rule);
  }
  .channel > h4 {
    flex-basis: 100%;
    margin: 0;
  }
  .volume {
    display: flex;
    flex-wrap: wrap;
    gap: 0.2em 1em;
    max-width: 100%;
  }
  .volume > * {
    max-width: 100%;
  }
  .products {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.4em 0.6em;
    max-width: 100%;
  }
  figure {
    min-width: 0;
    max-width: 100%;
    margin: 0;
  }
  figcaption {
    padding-left: 4px;
    color: var(--md-default-fg-color--light);
  }
  .sign {
    font-size: 1.3em;
  }
  .sum {
    font-weight: 640;
    font-variant-numeric: tabular-nums;
  }
  .result {
    font-size: 1.1em;
  }
  ::placeholder {
    color: var(--cnnref-muted);
    opacity: 1;
  }
  .about {
    min-height: 3em;
  }
  .key {
    display: flex;
    flex-wrap: wrap;
    gap: 0.2em 1em;
    margin: 0.4em 0;
    padding: 0;
    list-style: none;
  }
  .swatch {
    position: relative;
    display: inline-block;
    min-width: 24px;
    padding: 0 0.35em;
    border: 1px solid var(--cnnref-grid);
    text-align: center;
  }

  /* Shapes. */
  .rows {
    margin: 0.6em 0;
    padding: 0;
    list-style: none;
  }
  .rows > li {
    margin: 0.4em 0;
  }
  .rows fieldset {
    width: 100%;
  }
  .rows .tools {
    margin-left: auto;
    gap: 0.3em;
  }
  input.shape {
    width: 9em;
  }
  .wide {
    display: flex;
  }
  textarea {
    width: 100%;
    padding: 0.4em 0.6em;
    font-family: var(--md-code-font-family, monospace);
  }
  code {
    font-family: var(--md-code-font-family, monospace);
  }
  .volumes {
    display: block;
    max-width: none;
    overflow: visible;
  }
  .volumes rect {
    fill: var(--cnnref-input);
    stroke: var(--cnnref-grid);
  }
  .volumes .lid {
    fill: var(--cnnref-pad);
    stroke: var(--cnnref-grid);
  }
  .volumes .side {
    fill: var(--cnnref-filter);
    stroke: var(--cnnref-grid);
  }
  .volumes text {
    fill: currentColor;
    font-size: 11px;
  }
  .costs :is(th, td) {
    padding: 0.25em 0.6em;
    border-bottom: 1px solid var(--cnnref-rule);
    text-align: right;
    vertical-align: top;
    white-space: nowrap;
  }
  .costs :is(th:first-child, .formula) {
    text-align: left;
  }
  .costs tfoot {
    font-weight: 640;
  }

  details {
    margin-top: 0.8em;
    border: 1px solid var(--cnnref-rule);
    border-radius: 4px;
    background: var(--md-default-bg-color);
  }
  summary {
    min-height: 30px;
    padding: 0.3em 0.7em;
    font-weight: 600;
    cursor: pointer;
  }
  details > :not(summary) {
    margin: 0.5em 0.7em;
  }
  pre {
    max-height: 24em;
    padding: 0.6em;
    overflow: auto;
    background: var(--md-code-bg-color);
    color: var(--md-code-fg-color);
    font-family: var(--md-code-font-family, monospace);
    font-size: 0.92em;
    line-height: 1.4;
  }
`;
