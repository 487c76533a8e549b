// The type of console_static/vendor/dagre.js.

declare const dagre: any;
export default dagre;
