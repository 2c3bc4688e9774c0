// The text of libvirt's messages: UTF-8 up to 4 MiB.

import type { Codec } from "@virtkit/xdr/codec";
import { optional } from "@virtkit/xdr/composite";
import { string } from "@virtkit/xdr/primitive";
import { LIMITS } from "../limits.ts";

/** Text that is always there (remote_nonnull_string). */
export const text: Codec<string> = string(LIMITS.STRING_MAX);

/** Text that may be absent, null then (remote_string). */
export const optionalText: Codec<string | null> = optional(text);
