/** Parts of the editor that are fetched when somebody first comes to need them. */
import { toast } from "../shared/overlay.ts";
import { say } from "./dom.ts";

/** Return a part that `import()` fetches; undefined, and said to the person, when it cannot be had. */
export async function need<Part>(part: Promise<Part>): Promise<Part | undefined> {
  try {
    return await part;
  } catch {
    toast(say("no_line"), true);
    return undefined;
  }
}
