module.exports={name:'faults',run(){}}
