const { GracefulCluster } = require('graceful-cluster');
const { listen } = require('./app.js');
GracefulCluster.start({ workersCount: 8, serverFunction: () => listen() });
