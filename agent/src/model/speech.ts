/** A model's words as they come, without the thoughts some models put before them in `<think>` marks. */

/** Hears pieces, passes words on, and has them all at the end. */
export interface Speech {
  hear(piece: string): void;
  end(): string;
}

const open = "<think>";
const close = "</think>";

/** Words go to `say` as soon as they surely belong to no thought. */
export function createSpeech(say: (text: string) => void): Speech {
  let pending = "";
  let isThought = false;
  let spoken = "";

  function pass(text: string): void {
    const words = spoken === "" ? text.trimStart() : text;
    if (words === "") return;
    spoken += words;
    say(words);
  }

  return {
    hear(piece) {
      pending += piece;
      for (;;) {
        const mark = isThought ? close : open;
        const at = pending.indexOf(mark);
        if (at === -1) {
          const kept = partOf(mark, pending);
          if (!isThought) pass(pending.slice(0, pending.length - kept));
          pending = pending.slice(pending.length - kept);
          return;
        }
        if (!isThought) pass(pending.slice(0, at));
        pending = pending.slice(at + mark.length);
        isThought = !isThought;
      }
    },
    end() {
      if (!isThought) pass(pending);
      pending = "";
      return spoken.trim();
    },
  };
}

/** How many of a text's last characters may be the beginning of the mark. */
function partOf(mark: string, text: string): number {
  for (let length = Math.min(mark.length - 1, text.length); length > 0; length -= 1) {
    if (mark.startsWith(text.slice(-length))) return length;
  }
  return 0;
}
