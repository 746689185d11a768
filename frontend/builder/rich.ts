/** Rich text, edited where it stands or in a field: TipTap with exactly the tags that the server keeps. */
import { Editor } from "@tiptap/core";
import StarterKit from "@tiptap/starter-kit";
import { makeIcon } from "../shared/words.ts";
import { make, say } from "./dom.ts";

export interface RichText {
  focus: () => void;
  destroy: () => void;
  html: () => string;
}

const TOOLS: [icon: string, word: string, act: (editor: Editor) => void, name: string][] = [
  ["bold", "bold", (editor) => editor.chain().focus().toggleBold().run(), "bold"],
  ["italic", "italic", (editor) => editor.chain().focus().toggleItalic().run(), "italic"],
  ["heading", "heading", (editor) => editor.chain().focus().toggleHeading({ level: 3 }).run(), "heading"],
  ["list", "bullets", (editor) => editor.chain().focus().toggleBulletList().run(), "bulletList"],
  ["list-numbers", "numbers", (editor) => editor.chain().focus().toggleOrderedList().run(), "orderedList"],
  ["link", "link", toggleLink, "link"],
];

function toggleLink(editor: Editor): void {
  if (editor.isActive("link")) {
    editor.chain().focus().unsetLink().run();
    return;
  }
  const href = window.prompt(say("link_to"), "https://");
  if (href && (href.startsWith("https://") || /^\/(?!\/)/.test(href))) editor.chain().focus().setLink({ href }).run();
}

/** Turn an element's markup into an editor; its tools stand in `bar`. */
export function editRich(element: HTMLElement, html: string, bar: HTMLElement, changed: (html: string) => void, label: string): RichText {
  element.replaceChildren();
  const editor = new Editor({
    element,
    content: html,
    injectCSS: false,
    editorProps: { attributes: { role: "textbox", "aria-multiline": "true", "aria-label": label } },
    extensions: [
      StarterKit.configure({
        heading: { levels: [3, 4] },
        code: false,
        codeBlock: false,
        horizontalRule: false,
        link: { openOnClick: false, protocols: ["https"], HTMLAttributes: { rel: null, target: null } },
      }),
    ],
    onUpdate: () => changed(editor.getHTML()),
    onTransaction: () => mark(),
  });
  const buttons = TOOLS.map(([icon, word, act, name]) => {
    const made = make("button", { type: "button", class: "rich-tool", "aria-label": say(word), title: say(word) }, makeIcon(icon, "icon-sm"));
    made.addEventListener("mousedown", (event) => event.preventDefault());
    made.addEventListener("click", () => act(editor));
    return { made, name };
  });
  bar.replaceChildren(...buttons.map(({ made }) => made));
  function mark(): void {
    for (const { made, name } of buttons ?? []) made.setAttribute("aria-pressed", String(editor.isActive(name)));
  }
  return { focus: () => void editor.commands.focus(), destroy: () => editor.destroy(), html: () => editor.getHTML() };
}
