const control = require('strong-cluster-control');
control.start({ size: 2 });
require('./plain.js');
