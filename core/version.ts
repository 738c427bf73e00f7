/** The version of gust, as `gust --version` says it and provenance records it. */
export const VERSION = "0.1.0";
