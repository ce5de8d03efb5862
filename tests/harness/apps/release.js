// Resolves when there is a file `release`.
const { existsSync } = require('fs');
module.exports = () => new Promise((resolve) => {
  const look = () => (existsSync(`${__dirname}/release`) ? resolve() : setTimeout(look, 20));
  look();
});
