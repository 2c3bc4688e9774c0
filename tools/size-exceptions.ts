// Files and functions that may be longer than the limits, each with the reason.

/** Lines of a file, and of a function. */
export const SIZE_LIMITS = { file: 600, function: 80 } as const;

/** Files that may exceed the limit: data, one row after the other. */
export const LONG_FILES: Readonly<Record<string, string>> = {};

/** Functions that may, as `file#name`. */
export const LONG_FUNCTIONS: Readonly<Record<string, string>> = {};
