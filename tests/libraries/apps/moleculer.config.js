module.exports = { logger: false };
