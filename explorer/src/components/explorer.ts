// What all explorers share: a state with undo, kept in the address; a bar of buttons; announcements.

import { html, LitElement, nothing } from "lit";
import type { TemplateResult } from "lit";

import { begin, push, redo, replace, undo } from "../state/history.ts";
import type { History } from "../state/history.ts";
import { clear, open, write } from "../state/link.ts";
import type { Codec } from "../state/link.ts";
import { LinkError } from "../state/codec.ts";
import { styles } from "./styles.ts";

export interface Preset<State> {
  title: string;
  state: State;
}

/** Write the address with a delay: browsers throttle pages that write it often. */
const WRITE_AFTER = 250;

export abstract class Explorer<State> extends LitElement {
  static override styles = styles;
  static override properties = { history: { state: true }, message: { state: true } };

  declare protected history: History<State>;
  /** What the reader must be told: that a link cannot be used, or that a text is not a number. */
  declare protected message: string | null;
  protected abstract readonly codec: Codec<State>;
  protected abstract readonly presets: Readonly<Record<string, Preset<State>>>;
  protected abstract readonly first: string;
  #initial: State | null = null;
  #announcement = "";
  /** The example that the menu shows: the chosen one, until the reader changes something. */
  #chosen = "";
  #timer = 0;

  protected get current(): State {
    return this.history.present;
  }

  override connectedCallback(): void {
    // An explorer that is moved within the page keeps its state.
    if (!this.#initial) this.#begin();
    super.connectedCallback();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.clearTimeout(this.#timer);
  }

  #begin(): void {
    this.#initial = this.#example();
    const opened = this.#ownsAddress()
      ? open(this.codec, window.location.search)
      : { state: null, message: null };
    this.history = begin(opened.state ?? this.#initial);
    this.message = opened.message;
    this.#chosen = opened.state ? "" : this.#nameOf(this.#initial);
  }

  #nameOf(state: State): string {
    return Object.keys(this.presets).find((name) => this.presets[name].state === state) ?? "";
  }

  /** The page's own example: `data-state` in the form of a link, or the name of a preset. */
  #example(): State {
    const { state, preset } = this.dataset;
    const named = this.presets[preset ?? this.first] ?? this.presets[this.first];
    if (state === undefined) return named.state;
    try {
      return this.codec.decode(state);
    } catch (error) {
      if (error instanceof LinkError) return named.state;
      throw error;
    }
  }

  /** A link opens the first of several explorers of one kind on a page. */
  #ownsAddress(): boolean {
    return document.querySelector(this.localName) === this;
  }

  /** Change the state in a way that undo reverts. */
  protected change(state: State): void {
    this.history = push(this.history, state);
    this.#chosen = this.#nameOf(state);
    this.message = null;
    this.#writeAddress();
  }

  /** Change what is shown, not what is computed. */
  protected show(state: State): void {
    this.history = replace(this.history, state);
    this.#writeAddress();
  }

  #move(history: History<State>, words: string): void {
    this.history = history;
    this.#chosen = this.#nameOf(history.present);
    this.message = null;
    this.announce(words);
    this.#writeAddress();
  }

  protected undo(): void {
    if (this.history.past.length) this.#move(undo(this.history), "Undone");
  }

  protected redo(): void {
    if (this.history.future.length) this.#move(redo(this.history), "Redone");
  }

  protected reset(): void {
    this.change(this.#initial as State);
    this.announce("Back to the page's example");
  }

  #writeAddress(): void {
    if (!this.#ownsAddress()) return;
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      const { pathname, search, hash } = window.location;
      // A state too large for a link leaves no state in the address, rather than an old one.
      const query = write(this.codec, this.current, search) ?? clear(this.codec, search);
      window.history.replaceState(window.history.state, "", pathname + query + hash);
    }, WRITE_AFTER);
  }

  async #copyLink(): Promise<void> {
    const query = write(this.codec, this.current, window.location.search);
    if (query === null) {
      this.message = "This is too large for a link. Copy the code instead.";
      return;
    }
    const link = new URL(query, window.location.href);
    // The link opens at the explorer: further up, it would not even be loaded.
    link.hash = this.id;
    await this.copy(link.href, "The link is");
  }

  protected async copy(text: string, what: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      this.announce(`${what} copied`);
    } catch {
      this.message =
        "The browser does not let this page copy. Select the text and copy it by hand.";
    }
  }

  /** Say something to a screen reader; nothing else changes. */
  protected announce(words: string): void {
    this.#announcement = words;
    this.requestUpdate();
  }

  #onKey(event: KeyboardEvent): void {
    // While a text is being typed, the shortcut means the browser's own undo.
    const [target] = event.composedPath();
    const typing = target instanceof Element && target.matches('textarea, input[type="text"]');
    if (typing || !(event.ctrlKey || event.metaKey)) return;
    const key = event.key.toLowerCase();
    if (key === "z" && !event.shiftKey) this.undo();
    else if (key === "y" || key === "z") this.redo();
    else return;
    event.preventDefault();
  }

  protected abstract body(): TemplateResult;

  protected override render(): TemplateResult {
    return html`<div @keydown=${(event: KeyboardEvent) => this.#onKey(event)}>
      ${this.#bar()}
      <div class="hidden" role="status">${this.#announcement}</div>
      <div role="alert">
        ${this.message === null ? nothing : html`<p class="notice">${this.message}</p>`}
      </div>
      ${this.body()}
    </div>`;
  }

  #bar(): TemplateResult {
    const { past, future } = this.history;
    return html`<div class="bar" role="group" aria-label="Example and history">
      <label>
        Example
        <select @change=${(event: Event) => this.#choose(event.target as HTMLSelectElement)}>
          <option value="" .selected=${this.#chosen === ""}>Choose …</option>
          ${Object.entries(this.presets).map(
            ([name, { title }]) =>
              html`<option value=${name} .selected=${this.#chosen === name}>${title}</option>`,
          )}
        </select>
      </label>
      ${this.button("Undo", () => this.undo(), !past.length)}
      ${this.button("Redo", () => this.redo(), !future.length)}
      ${this.button("Reset", () => this.reset())}
      ${this.button("Copy link", () => void this.#copyLink())}
    </div>`;
  }

  #choose(select: HTMLSelectElement): void {
    const preset = this.presets[select.value];
    if (preset) this.change(preset.state);
  }

  /** A button that keeps the focus when it is disabled. */
  protected button(words: string, act: () => void, off = false, name?: string): TemplateResult {
    return html`<button
      type="button"
      aria-label=${name ?? nothing}
      aria-disabled=${off ? "true" : nothing}
      @click=${() => (off ? undefined : act())}
    >
      ${words}
    </button>`;
  }
}
