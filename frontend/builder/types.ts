/** What the editor and the server tell each other: section schemas in, section lists out. */

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type Props = { [name: string]: Json };

export interface Field {
  name: string;
  label: string;
  kind: string;
  help: string;
  default: Json;
  required: boolean;
  least: number;
  most: number;
  options: [string, string][];
  fields: Field[];
  shown_if: [string, string[]] | null;
  inline: boolean;
}

export interface SectionType {
  type: string;
  version: number;
  name: string;
  icon: string;
  group: string;
  hint: string;
  fields: Field[];
  is_single: boolean;
  stands_here: boolean;
}

export interface Section {
  id: string;
  type: string;
  version: number;
  props: Props;
  hidden?: boolean;
}

export interface Content {
  root: Props;
  sections: Section[];
}

export interface Fault {
  section_id: string;
  section: string;
  path: string;
  message: string;
}

export interface Boot {
  page: { id: number; kind: number; title: string; url: string };
  content: Content;
  version: number;
  is_changed: boolean;
  is_published: boolean;
  built_in: "before" | "after" | ""; // where the part stands that no section makes
  publish_at: string | null;
  standing: { text: string; is_shut: boolean; url: string; name: string } | null; // when buyers do not see the shop, or soon will not
  faults: Fault[];
  notes: Fault[];
  sections_most: number;
  sections: SectionType[];
  groups: [string, string][];
  root_fields: Field[];
  icons: string[];
  categories: { id: number; name: string; count: number }[];
  pages: { id: number; title: string }[];
  readonly goals: readonly string[]; // where a link may lead
  tags: string[];
}

export interface Picture {
  id: number;
  name: string;
  width: number;
  height: number;
  has_code: boolean; // a square code that a camera reads
  url: string;
  thumb_url: string;
}
