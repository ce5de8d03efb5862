require('cluster-service').start({ workers: './plain.js' });
