const quiet = () => {};

/** What nodes of a fleet say goes nowhere. */
export const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
