/** The objects of requests and responses. A newer service may send more fields, and other values of an enumeration. */
package musicstudio.models;
