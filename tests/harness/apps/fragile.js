// Crashes at boot for as long as there is a file `crash` beside it.
if (require('fs').existsSync(`${__dirname}/crash`)) process.exit(3);
require('./plain.js');
