const cluster = require('recluster')(require.resolve('./plain.js'), { workers: 2 });
cluster.run();
