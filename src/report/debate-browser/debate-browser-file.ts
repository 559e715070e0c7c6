/** The name of the browser's file in an experiment's folder, beside report.html. */
export const debateBrowserFile = 'debates.html';
