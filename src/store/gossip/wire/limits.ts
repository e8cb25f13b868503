/** Version of the protocol, and of everything about frames but their first six bytes. */
export const VERSION = 1;

/** Most bytes of a frame behind its length field; also of what is inflated from it, and of its texts. */
export const FRAME_MAX = 4 * 1024 * 1024;
/** Most bytes of a record's seal: some signatures and what proves their keys. */
export const SEAL_MAX = 4096;
/** Most bytes of a name: of a method, an error's code, a boot. */
export const NAME_MAX = 64;
/** Most bytes of a sentence for people; a longer one is cut. */
export const WHAT_MAX = 1024;
/** Deepest nesting of a request's or answer's body. */
export const DEPTH_MAX = 64;
