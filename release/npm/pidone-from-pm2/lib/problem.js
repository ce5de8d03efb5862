'use strict';

/** What the user can mend, as one sentence. */
class Problem extends Error {
  forUser = true;
}

module.exports = { Problem };
